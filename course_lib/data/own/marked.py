"""Pictures with boxes, whatever format they came in: every box is held against its picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from course_lib.data.own import folders, given, picture_sets, subjects, tables
from course_lib.data.own.kinds import Boxed, LeftOut
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

BEYOND_PIXELS, BEYOND_SHARE = 2.0, 0.02
"""A box may stick out of its picture by so many pixels, or by such a part of the picture's side."""


@dataclass(frozen=True)
class Box:
    """One box, (top, left, bottom, right) in pixels, or in parts of the picture where `relative`.

    Arguments:
        name: what a message calls it.
    """

    label: str
    corners: tuple[float, float, float, float]
    name: str
    relative: bool = False


@dataclass(frozen=True)
class Marked:
    """A picture with its boxes as a file gives them.

    Arguments:
        size: (width, height) that the file says, if it does.
        part: train, validation or test, where the file belongs to one.
        faults: what is wrong with its boxes.
    """

    file: Path
    size: tuple[int, int] | None = None
    boxes: list[Box] = field(default_factory=list)
    part: str | None = None
    faults: list[str] = field(default_factory=list)


def boxed(
    place: Path,
    found: Sequence[Marked],
    classes: Sequence[str],
    reading: Reading,
    notes: Sequence[str] = (),
    wrong: Sequence[LeftOut] = (),
) -> Boxed:
    """The pictures with their boxes, every one held against its picture.

    Arguments:
        classes: all names that a box may have, in order; those without a box are dropped.
        wrong: what the reader could not use at all.
    Raises CourseError, unless the user skips them, that names pictures that cannot be read or have
    another size than is said, and boxes that are none, or lie outside; and where no box is left.
    """
    open_ = picture_sets.opened([each.file for each in found], [each.size for each in found])
    below = folders.paths(place, [each.file for each in found])
    names = folders.names(below)
    faults = [*wrong, *open_.left_out]
    kept, boxes, clipped = [], [], 0
    for where, position in enumerate(open_.positions):
        each = found[position]
        height, width = open_.pictures.shapes[where]
        rows, cut, bad = _inside(each, height, width)
        faults += [LeftOut(names[position], word) for word in (*each.faults, *bad)]
        if not (bad or each.faults):
            kept.append(where)
            boxes.append(rows)
            clipped += cut
    left_out = folders.left_out(place, faults, reading.skip)
    said = [f"{clipped} boxes that stuck out of their picture a little were clipped"]
    positions = [open_.positions[where] for where in kept]
    present = {row[0] for rows in boxes for row in rows}
    if not present:
        raise CourseError(f"{place} holds {len(positions)} pictures, but no box in any of them.")
    used = tuple(name for name in classes if name in present)
    if unused := [name for name in classes if name not in present]:
        said.append(f"classes without a box are left out: {tables.listed(unused)}")
    paths = [below[k] for k in positions]
    people = subjects.of(paths, reading)
    split, of_split = _split(place, paths, people, [found[k].part for k in positions], reading)
    return Boxed(
        source=place,
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=open_.pictures.chosen(kept),
        boxes=tuple(np.array([r[1] for r in rows], np.float32).reshape(-1, 4) for rows in boxes),
        labels=tuple(np.array([used.index(r[0]) for r in rows], np.int64) for rows in boxes),
        classes=used,
        names=tuple(names[k] for k in positions),
        subjects=tuple(people),
        given=given.by_name([names[k] for k in positions], split),
        left_out=left_out,
        notes=(
            *notes,
            *open_.notes,
            *said[not clipped :],
            *subjects.said(paths, reading),
            *of_split,
        ),
    )


def _inside(each: Marked, height: int, width: int) -> tuple[list[tuple], int, list[str]]:
    """(label, corners) of each box within its picture, how many had to be clipped, and faults."""
    rows, clipped, bad = [], 0, []
    far = [max(BEYOND_PIXELS, BEYOND_SHARE * side) for side in (height, width)] * 2
    ends = np.array([height, width] * 2, float)
    for box in each.boxes:
        if not all(math.isfinite(number) for number in box.corners):
            bad.append(f"{box.name} holds {list(box.corners)}, not four numbers")
            continue
        corners = np.array(box.corners, float) * (ends if box.relative else 1.0)
        within = np.clip(corners, 0, ends)
        if (abs(corners - within) > far).any():
            numbers = ", ".join(f"{number:g}" for number in corners)
            bad.append(
                f"{box.name} (top, left, bottom, right: {numbers}) lies outside of its picture of "
                f"{width} x {height} pixels"
            )
        elif (within[2:] - within[:2] > 0).all():
            rows.append((box.label, within.tolist()))
            clipped += int((corners != within).any())
    return rows, clipped, bad


def _split(
    place: Path,
    paths: Sequence[str],
    people: Sequence[str],
    parts: Sequence[str | None],
    reading: Reading,
) -> tuple[list[str | None], tuple[str, ...]]:
    """The split that the user, the boxes' own files or the folders give."""
    if reading.split or not all(parts):
        return given.of(place, paths, people, reading)
    named = [f"{part}/{path}" for part, path in zip(parts, paths, strict=True)]
    return given.of(place, named, people, reading)
