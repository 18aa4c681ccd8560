"""Arrays that take seconds to work out from the data sets: worked out once, then read.

They lie in the cache folder, named by what they are and by the code that made them, so that no
stale array is read after that code has changed.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from course_lib.files import atomic, cache_dir


def kept(
    name: str, make: Callable[[], Mapping[str, np.ndarray]], made_by: Iterable[Path]
) -> dict[str, np.ndarray]:
    """What `make` gives; from the cache, if the same code has made it before.

    Arguments:
        name: a path below the cache's `derived`, for example `nodules/test-16`.
        made_by: the source files that decide about the arrays. What other versions of them left
            under this name is removed.
    """
    code = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(made_by)))
    file = cache_dir() / "derived" / f"{name}-{code.hexdigest()[:12]}.npz"
    if not file.is_file():
        made = make()
        with atomic(file) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **made)
        for stale in file.parent.glob(f"{file.stem[:-12]}{'[0-9a-f]' * 12}.npz"):
            if stale != file:
                stale.unlink(missing_ok=True)
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)
