"""Arrays that take seconds to work out from the data sets: worked out once, then read.

They lie in the cache folder, named by what they are, by the code that made them and by the data
sets' hashes, so that no stale array is read after one of these has changed. Each file carries the
checksum of its arrays; one that is damaged is made anew.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from filelock import FileLock

from course_lib.code import code_hash
from course_lib.data.fetch import Finding
from course_lib.files import atomic, cache_dir, make_room, resource
from course_lib.threads import limited

MONTH_S = 30 * 24 * 3600
"""Younger files may be in use by another checkout of the course."""
CHECKSUM = "sha256"
LOG = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def kept(name: str, make: Callable[[], Mapping[str, np.ndarray]], module: str) -> Arrays:
    """What `make` gives; from the cache, if the same code has made it before.

    Arguments:
        name: a path below the cache's `derived`, for example `nodules/test-16`.
        module: the name of the module that `make` lies in. What other versions of it, or of what
            it imports, left under this name a month ago or longer is removed.
    """
    registry = (resource("datasets") / "registry.yaml").read_bytes()
    code = hashlib.sha256(code_hash((module,)).encode() + registry)
    file = _folder() / f"{name}-{code.hexdigest()[:12]}.npz"
    if (found := _stored(file)) is not None:
        return found
    make_room(file)
    lock = file.with_name(f"{file.stem[:-13]}.lock")
    _clear(lock)
    # Others wait, and read what the first has made.
    with FileLock(lock):
        if (found := _stored(file)) is not None:
            return found
        if file.is_file():
            LOG.warning(f"{file} is damaged; it is made anew.")
        _clear(file)
        with limited(1):  # whatever the job takes that happens to be the first
            made = {key: np.asarray(value) for key, value in make().items()}
        with atomic(file) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **made, **{CHECKSUM: _digest(made)})
    for stale in file.parent.glob(f"{file.stem[:-12]}{'[0-9a-f]' * 12}.npz"):
        if stale != file and time.time() - stale.stat().st_mtime > MONTH_S:
            stale.unlink(missing_ok=True)
    return made


def doctor() -> list[Finding]:
    """Reads every derived file again; says which are damaged. Empty if there are none at all."""
    files = sorted(_folder().rglob("[!.]*.npz"))
    told = [str(file.relative_to(_folder())) for file in files if _damaged(file)]
    state, about = "damaged" if told else "ok", "worked out from the data sets"
    repair = f"delete {_folder()}: what is missing there is made anew when it is needed"
    return [Finding("derived", state, ", ".join(told), repair, about)] if files else []


def _folder() -> Path:
    return cache_dir() / "derived"


def _clear(file: Path) -> None:
    """A folder where a file of this cache belongs is nobody's."""
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)


def _damaged(file: Path) -> bool:
    """Whether a file is unreadable or other than written. Earlier versions wrote no checksum."""
    try:
        found = _read(file)
    except Exception:
        return True
    return CHECKSUM in found and not _is_whole(found)


def _stored(file: Path) -> Arrays | None:
    """The arrays of a file, or None if there is none or it is damaged."""
    try:
        found = _read(file)
    except Exception:  # whatever zip, zlib and numpy say of bytes that are not what they expect
        return None
    return {key: found[key] for key in found if key != CHECKSUM} if _is_whole(found) else None


def _read(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def _is_whole(found: Arrays) -> bool:
    said = {key: value for key, value in found.items() if key != CHECKSUM}
    return CHECKSUM in found and str(found[CHECKSUM]) == str(_digest(said))


def _digest(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """SHA-256 of arrays with their names, shapes and kinds of number."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} {array.dtype.str}\0".encode() + array.tobytes())
    return np.array(digest.hexdigest())
