"""Volumes that are read when they are asked for and not kept, whatever their number."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from course_lib.data.own import checks, given, grids, subjects, tables
from course_lib.data.own.filenames import part_path
from course_lib.data.own.grids import Grid
from course_lib.data.own.kinds import LeftOut, Scans
from course_lib.data.own.layouts import Case, Layout
from course_lib.data.own.reading import Reading
from course_lib.data.volume import HU_RANGE, Head, Volume
from course_lib.errors import CourseError

UNKNOWN_UNIT = "The unit of the images is not known: --unit HU if they are CT in HU."


class Streamed(Sequence[Volume]):
    """The volumes of a folder. `heads` says what each is; an item is read when it is taken."""

    def __init__(
        self, place: Path, cases: list[Case], people: list[str], headers: dict[Path, Grid]
    ) -> None:
        self.place, self._cases, self._people = place, cases, people
        self._headers = headers
        self.heads = tuple(map(self._head, cases, people))

    def __len__(self) -> int:
        return len(self._cases)

    @overload
    def __getitem__(self, index: int) -> Volume: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Volume, ...]: ...
    def __getitem__(self, index: int | slice) -> Volume | tuple[Volume, ...]:
        if isinstance(index, slice):
            return tuple(self[k] for k in range(*index.indices(len(self))))
        try:
            return self._read(self._cases[index], self._people[index])
        except CourseError:
            # One is wrong: all are looked at, so that they can be mended at once.
            checks.refuse(self.place, self.faults(), len(self))
            raise

    def faults(self) -> dict[str, str]:
        """Name of each case whose voxels cannot be used → why. Reads all."""
        found = {}
        for case, person in zip(self._cases, self._people, strict=True):
            try:
                self._read(case, person)
            except CourseError as error:
                found[case.name] = str(error).rstrip(".")
        return found

    def _head(self, case: Case, person: str) -> Head:
        placed = self._headers[case.image].placed
        z, y, x = placed.shape
        return Head(case.name, person, (z, y, x), placed.spacing_mm, case.unit, tuple(case.others))

    def _read(self, case: Case, person: str) -> Volume:
        grid = self._headers[case.image]
        values = grids.read_voxels(grid, case.volume, images=True)
        image = np.ascontiguousarray(grid.placed.turned(values), np.float32)
        checks.finite(image, case.image.name)
        if case.unit == "HU":
            checks.hounsfield(image, case.image.name)
            np.clip(image, *HU_RANGE, out=image)
        others = {word: self._other(word, file, grid) for word, file in case.others.items()}
        placed = grid.placed
        return Volume(
            image, placed.spacing_mm, person, case.unit, placed.origin_mm, others, case.name
        )

    def _other(self, word: str, file: Path, image: Grid) -> np.ndarray:
        grid = self._headers[file]
        values = grids.read_voxels(grid, 0, images=word != "label")
        if word != "label":
            array = np.ascontiguousarray(grid.placed.turned(values), np.float32)
            checks.finite(array, file.name)
            return array
        label = checks.whole(values, file.name)
        if not checks.same_shape(image, grid) or checks.apart(image, grid) > checks.APART:
            return np.ascontiguousarray(image.placed.turned(checks.moved(label, grid, image)))
        return np.ascontiguousarray(grid.placed.turned(label))


def scans(place: Path, layout: Layout, reading: Reading) -> Scans:
    """The data that a folder's cases give, once their headers have been looked at.

    Raises CourseError that names all cases that cannot be used; with `skip` they are left out, and
    their voxels are looked at for that.
    """
    total = len(layout.cases) + len(layout.bad)
    headers, bad = _headers(layout, reading)
    bad = layout.bad | bad
    if not reading.skip:
        checks.refuse(place, bad, total)
    cases = [case for case in layout.cases if case.name not in bad]
    if reading.unit:
        cases = [_with_unit(case, reading.unit) for case in cases]
    if reading.skip:
        looked = Streamed(place, cases, [case.name for case in cases], headers)
        bad |= looked.faults()
        cases = [case for case in cases if case.name not in bad]
    if not cases:
        checks.refuse(place, bad, total)
        raise CourseError(f"{place} holds no volumes.")
    paths = [part_path(case.path) for case in cases]
    people = subjects.of(paths, reading)
    parts, about_split = given.of(place, paths, people, reading)
    return Scans(
        source=place,
        provenance=layout.provenance,
        licence=layout.licence,
        volumes=Streamed(place, cases, people, headers),
        names=layout.names,
        given=given.by_name([case.name for case in cases], parts),
        left_out=(*layout.left_out, *(LeftOut(name, why) for name, why in bad.items())),
        notes=(
            *layout.notes,
            *_notes(cases, headers, reading),
            *subjects.said(paths, reading),
            *about_split,
        ),
    )


def _with_unit(case: Case, unit: str) -> Case:
    return Case(case.name, case.path, case.image, case.others, unit, case.volume)


def _headers(layout: Layout, reading: Reading) -> tuple[dict[Path, Grid], dict[str, str]]:
    """File → grid, and name of the case → what is wrong with it."""
    found: dict[Path, Grid] = {}
    bad: dict[str, str] = {}
    for position, case in enumerate(layout.cases):
        try:
            image = found[case.image] = grids.read_header(case.image)
            layout.cases[position] = _with_volume(case, image, layout, reading)
            for word, file in case.others.items():
                other = found[file] = grids.read_header(file)
                if other.volumes > 1:
                    raise CourseError(
                        f"{file.name} holds {other.volumes} volumes. Expected: one {word}"
                    )
                checks.one_grid(image, other, word, reading.resample_labels)
        except CourseError as error:
            bad[case.name] = str(error).rstrip(".")
    return found, bad


def _with_volume(case: Case, image: Grid, layout: Layout, reading: Reading) -> Case:
    """The case with the volume of its file that the user chose by number."""
    number = case.volume
    if image.volumes == 1:
        number = 0
    elif not layout.channels and reading.series.isdigit():
        number = int(reading.series)
    if number >= image.volumes:
        raise CourseError(f"{case.image.name} holds {image.volumes} volumes; none is {number}")
    return Case(case.name, case.path, case.image, case.others, case.unit, number)


def _notes(cases: list[Case], headers: dict[Path, Grid], reading: Reading) -> list[str]:
    """How the files were understood where they left something open."""
    used = [headers[case.image] for case in cases]
    notes = []
    if not reading.unit and any(case.unit != "HU" for case in cases):
        notes.append(UNKNOWN_UNIT)
    if names := [grid.file.name for grid in used if grid.unspaced]:
        notes.append(f"The spacing of {tables.listed(names, 3)} is not known: 1 mm is taken.")
    if names := [grid.file.name for grid in used if not grid.known]:
        notes.append(
            f"The headers of {tables.listed(names, 3)} do not say where left is: it is taken as "
            "most programs do."
        )
    if names := [
        f"{grid.file.name} ({case.volume} of 0 to {grid.volumes - 1})"
        for case, grid in zip(cases, used, strict=True)
        if grid.volumes > 1
    ]:
        notes.append(
            f"One volume is taken of files that hold several: {tables.listed(names, 3)}; --series "
            "with a number chooses another."
        )
    if moved := [
        case.name
        for case, grid in zip(cases, used, strict=True)
        for word, file in case.others.items()
        if word == "label"
        and not checks.one_grid(grid, headers[file], word, reading.resample_labels)
    ]:
        notes.append(f"Label maps were brought onto their images' grid: {tables.listed(moved, 5)}.")
    return notes
