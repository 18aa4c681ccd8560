"""Folders of 2D pictures without anything said of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own import folders, given, picture_sets, subjects
from course_lib.data.own.kinds import Pictures
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError


def holds(place: Path) -> bool:
    """Whether a folder, or one below it, holds pictures."""
    return bool(folders.pictures(place))


def read(place: Path, reading: Reading, unverified: bool = False) -> Pictures:
    """All pictures below a folder in grey, in the order of their names.

    Raises CourseError, naming them all, for pictures that cannot be read, unless the user skips
    them.
    """
    found = folders.pictures(place)
    open_ = picture_sets.opened(found)
    broken, unread = folders.beside(place)
    left_out = folders.left_out(place, (*open_.left_out, *broken), reading.skip)
    if not open_.positions:
        raise CourseError(f"{place} holds no picture that can be read.")
    below = folders.paths(place, [found[k] for k in open_.positions])
    names, people = folders.names(below), subjects.of(below, reading)
    split, of_split = given.of(place, below, people, reading)
    return Pictures(
        source=place,
        provenance="measured: pictures of your own",
        licence="as you know it",
        images=Greys(open_.pictures),
        names=tuple(names),
        subjects=tuple(people),
        given=given.by_name(names, split),
        left_out=(*left_out, *unread),
        notes=(*open_.notes, *subjects.said(below, reading), *of_split),
    )


class Greys(Sequence[np.ndarray]):
    """Pictures as grey (y, x), the mean of their colours; decoded when they are asked for."""

    def __init__(self, colours: Sequence[np.ndarray]) -> None:
        self.colours = colours

    def __len__(self) -> int:
        return len(self.colours)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Greys(self.colours[place])
        return self.colours[place].mean(0)
