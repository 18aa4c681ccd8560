"""Arrays that take seconds to work out from the data sets: worked out once, then read.

They lie in the cache folder, named by what they are, by the code that made them and by the data
sets' hashes, so that no stale array is read after one of these has changed.
"""

import hashlib
import time
from collections.abc import Callable, Mapping

import numpy as np
from filelock import FileLock

from course_lib.code import code_hash
from course_lib.files import atomic, cache_dir, make_room, resource

MONTH_S = 30 * 24 * 3600
"""Younger files may be in use by another checkout of the course."""


def kept(
    name: str, make: Callable[[], Mapping[str, np.ndarray]], module: str
) -> dict[str, np.ndarray]:
    """What `make` gives; from the cache, if the same code has made it before.

    Arguments:
        name: a path below the cache's `derived`, for example `nodules/test-16`.
        module: the name of the module that `make` lies in. What other versions of it, or of what
            it imports, left under this name a month ago or longer is removed.
    """
    registry = (resource("datasets") / "registry.yaml").read_bytes()
    code = hashlib.sha256(code_hash((module,)).encode() + registry)
    file = cache_dir() / "derived" / f"{name}-{code.hexdigest()[:12]}.npz"
    if not file.is_file():
        make_room(file)
        with FileLock(
            file.with_name(f"{file.stem[:-13]}.lock")
        ):  # others wait, and read what the first has made
            if not file.is_file():
                made = make()
                with atomic(file) as temporary:
                    np.savez_compressed(temporary, allow_pickle=False, **made)
        for stale in file.parent.glob(f"{file.stem[:-12]}{'[0-9a-f]' * 12}.npz"):
            if stale != file and time.time() - stale.stat().st_mtime > MONTH_S:
                stale.unlink(missing_ok=True)
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)
