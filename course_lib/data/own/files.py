"""Which files below a path belong to the data, and what a whole folder's hash is."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from course_lib.errors import CourseError

LONG = 500e6  # bytes; hashing more takes seconds, and is shown
CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def within(place: Path) -> list[Path]:
    """All files below a folder in sorted order, but hidden ones, what systems leave behind, and
    folders of the course's own: records and reports."""
    found: list[Path] = []
    been: set[str] = set()
    for folder, below, names in os.walk(place, followlinks=True):
        here = Path(folder)
        if (real := os.path.realpath(folder)) in been:  # a link to a folder above
            below.clear()
            continue
        been.add(real)
        below[:] = sorted(name for name in below if not _aside(name) and not ours(here / name))
        found += [here / name for name in names if not _aside(name)]
    return sorted(file for file in found if file.is_file())


def ours(folder: Path) -> bool:
    """Whether a folder holds the course's records or a report of it."""
    if (folder / "record.json").is_file() or (folder / "assets" / "report.css").is_file():
        return True
    try:
        return any((inside / "record.json").is_file() for inside in folder.iterdir())
    except OSError:
        return False


def _aside(name: str) -> bool:
    return name.startswith(".") or name in CLUTTER


def digest(place: Path, more: Iterable[Path] = ()) -> str:
    """SHA-256 over the names and bytes of the files at a path, and of `more` files, in order.

    Raises CourseError for a file that cannot be read.
    """
    from tqdm import tqdm

    place = place.resolve()
    files = [place] if place.is_file() else within(place)
    named = [(file.relative_to(place.parent).as_posix(), file) for file in files]
    named += [(f"\0{number}", file) for number, file in enumerate(more)]
    total = sum(file.stat().st_size for _, file in named)
    whole = hashlib.sha256()
    bar = tqdm(total=total, desc="hashing", unit="B", unit_scale=True, disable=total < LONG)
    with bar:
        for name, file in named:
            size = file.stat().st_size
            whole.update(os.fsencode(name) + f"\0{size}\0".encode())
            try:
                with open(file, "rb") as opened:
                    whole.update(hashlib.file_digest(opened, "sha256").digest())
            except OSError as error:
                raise CourseError(
                    f"{file} cannot be read ({error.strerror}). Make it readable, or move it out "
                    "of the data."
                ) from error
            bar.update(size)
    return whole.hexdigest()
