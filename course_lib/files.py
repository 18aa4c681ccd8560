"""Where files live and how they are written: whole or not at all."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.errors import CourseError

PACKAGE = Path(__file__).resolve().parent


def resource(folder: str) -> Path:
    """A folder of the course (`datasets`, `notebooks`, …): beside the package in a checkout,
    inside it in an installed wheel."""
    beside, inside = PACKAGE.parent / folder, PACKAGE / "_course" / folder
    return beside if beside.is_dir() else inside


def cache_dir() -> Path:
    """The folder for fetched and derived data: `$COURSE_DATA`, else the user's cache folder.

    Raises CourseError when neither is known.
    """
    chosen = os.environ.get("COURSE_DATA")
    if chosen:
        return Path(chosen).expanduser()
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:  # a container's user without a name
        raise CourseError(
            "The home folder is not known, so there is no place for data. Set COURSE_DATA to a "
            "folder that may be written to."
        ) from error
    return Path(base) / "medical-imaging-course"


def make_room(path: Path) -> None:
    """Makes the folder that a file is to lie in.

    Raises CourseError when that folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.with_name(f".{secrets.token_hex(4)}")
        probe.touch()
        probe.unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise CourseError(
            f"{path.parent} cannot be a folder: it, or a part of it, is a file. Choose another."
        ) from error
    except OSError as error:
        raise CourseError(
            f"Cannot write to {path.parent} ({error.strerror}). "
            "Make the folder writable, or choose another one: for data, set COURSE_DATA."
        ) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` and moves it there only if the block succeeds. Once
    there, it is whole even after a power cut.

    Raises CourseError when the folder cannot be written to.
    """
    path = Path(path)
    # The suffix stays last, because numpy and matplotlib choose their format by it.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    make_room(path)
    temporary.touch()
    try:
        yield temporary
        settle(temporary)
        os.replace(temporary, path)
        settle(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Waits until a file's bytes, or a folder's list of names, lie on the disk itself."""
    folder = path.is_dir()
    try:
        opened = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except OSError:
        if folder:  # Windows opens no folders
            return
        raise
    try:
        os.fsync(opened)
    except OSError:
        if not folder:  # some network drives keep no such list back
            raise
    finally:
        os.close(opened)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def readable(text: str) -> str:
    """The same text; bytes of a file's name that are no UTF-8, as archives of other systems leave
    them, are read as that system's letters.

    >>> readable("M\\udcfcller")
    'Müller'
    """
    for errors, letters in (("strict", "utf-8"), ("surrogateescape", "cp1252")):
        try:
            return text.encode(errors=errors).decode(letters, "replace")
        except UnicodeEncodeError:
            continue
    return text.encode(errors="backslashreplace").decode()
