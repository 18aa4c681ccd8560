"""Unpacking with care: what was asked for, into the folder, and no more bytes than were announced.

Python packages come as wheels (zip) or source archives (tar.gz), public data sets as tar archives.
"""

import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from course_lib.data.download import PIECE
from course_lib.errors import CourseError

BROKEN = (BadZipFile, BadGzipFile, tarfile.TarError, EOFError, zlib.error)
"""What reading an archive, or a file in it, raises when it is none or is cut off."""


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str
    content: Any

    def open(self) -> IO[bytes]:
        """Its bytes."""
        return self.content()


def members(archive: Path, advice: str) -> Iterator[Member]:
    """The files of an archive, one after the other; none may be kept for later.

    Arguments:
        advice: what to do with an archive that is not what it should be, for people.
    Raises CourseError for names that point outside and for links, BROKEN for what is no archive.
    """
    with _opened(archive) as found:
        for name, link, content in found:
            path = PurePosixPath(name)
            if link or path.is_absolute() or ".." in path.parts or set(name) & set("\\:"):
                raise CourseError(
                    f"{archive.name} was refused: its member {name!r} points outside the folder "
                    f"it is unpacked into. Nothing was unpacked. {advice}"
                )
            if content is not None:
                yield Member(name, content)


def write(member: Member, target: Path, room: int, advice: str) -> int:
    """Writes one file and returns its bytes; stops as soon as there are more than `room`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, open(target, "wb") as file:
        while piece := source.read(PIECE):
            written += len(piece)
            if written > room:
                raise CourseError(
                    f"{member.name} is larger than registered, so it was not unpacked. {advice}"
                )
            file.write(piece)
    return written


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[tuple[str, bool, Any]]]:
    """Name, whether it is a link or a device, and how to open it (None: a folder)."""
    if archive.name.endswith((".tar", ".tar.gz")):
        with tarfile.open(archive) as tar:
            yield (
                (
                    each.name,
                    not (each.isreg() or each.isdir()),
                    None if each.isdir() else lambda each=each: tar.extractfile(each),
                )
                for each in tar
            )
        return
    with ZipFile(archive) as wheel:
        yield (
            (
                each.filename,
                stat.S_ISLNK(each.external_attr >> 16),
                None if each.is_dir() else lambda each=each: wheel.open(each),
            )
            for each in wheel.infolist()
        )
