"""Volumes that are read when they are asked for and not kept, whatever their number."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

from course_lib.data.own import checks
from course_lib.data.volume import Head, Volume
from course_lib.errors import CourseError


class LazyVolumes(Sequence[Volume]):
    """The volumes of a folder.

    Arguments:
        place: the folder.
        heads: what is known of each before its voxels are read.
        read: position → volume; raises CourseError when its voxels cannot be used.
    """

    def __init__(self, place: Path, heads: Sequence[Head], read: Callable[[int], Volume]) -> None:
        self.place, self.heads, self._read = place, tuple(heads), read

    def __len__(self) -> int:
        return len(self.heads)

    @overload
    def __getitem__(self, index: int) -> Volume: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Volume, ...]: ...
    def __getitem__(self, index: int | slice) -> Volume | tuple[Volume, ...]:
        positions = range(len(self))[index]  # IndexError ends an iteration
        if isinstance(positions, range):
            return tuple(self[position] for position in positions)
        try:
            return self._read(positions)
        except CourseError:
            # One is wrong: all are looked at, so that they can be mended at once.
            checks.refuse(self.place, self.faults(), len(self))
            raise

    def faults(self) -> dict[str, str]:
        """Name of each volume whose voxels cannot be used → why. Reads all."""
        found = {}
        for position, head in enumerate(self.heads):
            try:
                self._read(position)
            except CourseError as error:
                found[head.case] = str(error).rstrip(".")
        return found
