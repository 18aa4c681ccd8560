"""Cases of a folder as volumes: what their headers say at once, their voxels when asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from course_lib.data.own import checks, formats, given, subjects, tables
from course_lib.data.own.filenames import part_path
from course_lib.data.own.grids import Grid
from course_lib.data.own.kinds import LeftOut, Scans
from course_lib.data.own.layouts import Case, Layout
from course_lib.data.own.lazy import LazyVolumes
from course_lib.data.own.reading import Reading
from course_lib.data.volume import HU_RANGE, Head, Volume
from course_lib.errors import CourseError

UNKNOWN_UNIT = "The unit of the images is not known: --unit HU if they are CT in HU."


def _lazy(
    place: Path, cases: list[Case], people: list[str], headers: dict[Path, Grid]
) -> LazyVolumes:
    heads = [_head(case, person, headers) for case, person in zip(cases, people, strict=True)]
    return LazyVolumes(place, heads, lambda k: _read(cases[k], people[k], headers))


def _head(case: Case, person: str, headers: dict[Path, Grid]) -> Head:
    placed = headers[case.image].placed
    z, y, x = placed.shape
    return Head(case.name, person, (z, y, x), placed.spacing_mm, case.unit, tuple(case.others))


def _read(case: Case, person: str, headers: dict[Path, Grid]) -> Volume:
    grid = headers[case.image]
    image = _image(grid, case.volume, case.unit)
    others = {
        word: _image(headers[file], 0, case.target_unit)
        if word == "target"
        else _label(headers[file], grid)
        for word, file in case.others.items()
    }
    placed = grid.placed
    return Volume(
        image,
        placed.spacing_mm,
        person,
        case.unit,
        placed.origin_mm,
        others,
        case.name,
        case.target_unit,
    )


def _label(grid: Grid, image: Grid) -> np.ndarray:
    """A label map (z, y, x) in LPS, on the image's grid."""
    label = checks.whole(formats.read_voxels(grid, 0, images=False), grid.file.name)
    if not checks.same_shape(image, grid) or checks.apart(image, grid) > checks.APART:
        return np.ascontiguousarray(image.placed.turned(checks.moved(label, grid, image)))
    return np.ascontiguousarray(grid.placed.turned(label))


def _image(grid: Grid, number: int, unit: str) -> np.ndarray:
    """An image (z, y, x) in LPS, HU within the range of scanners."""
    values = formats.read_voxels(grid, number, images=True)
    image = np.ascontiguousarray(grid.placed.turned(values), np.float32)
    checks.finite(image, grid.file.name)
    if unit == "HU":
        checks.hounsfield(image, grid.file.name)
        np.clip(image, *HU_RANGE, out=image)
    return image


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
        unit, of_target = reading.units
        cases = [replace(case, unit=unit, target_unit=of_target) for case in cases]
    if reading.skip:
        looked = _lazy(place, cases, [case.name for case in cases], headers)
        bad |= looked.faults()
        cases = [case for case in cases if case.name not in bad]
    if not cases:
        checks.refuse(place, bad, total)
        raise CourseError(f"{place} holds no volumes.")
    cases = [replace(case, name=tables.readable(case.name)) for case in cases]
    paths = [part_path(case.path) for case in cases]
    people = subjects.of(paths, reading)
    parts, about_split = given.of(place, paths, people, reading)
    return Scans(
        source=place,
        provenance=layout.provenance,
        licence=layout.licence,
        volumes=_lazy(place, cases, people, headers),
        names=layout.names,
        given=given.by_name([case.name for case in cases], parts),
        left_out=(*layout.left_out, *(LeftOut(name, why) for name, why in bad.items())),
        notes=(
            *layout.notes,
            *_notes(cases, headers, reading, layout.told),
            *subjects.said(paths, reading),
            *about_split,
        ),
    )


def _headers(layout: Layout, reading: Reading) -> tuple[dict[Path, Grid], dict[str, str]]:
    """File → grid, and name of the case → what is wrong with it."""
    found: dict[Path, Grid] = {}
    bad: dict[str, str] = {}
    for position, case in enumerate(layout.cases):
        try:
            image = found[case.image] = formats.read_header(case.image)
            layout.cases[position] = _with_volume(case, image, layout, reading)
            for word, file in case.others.items():
                other = found[file] = formats.read_header(file)
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
    return replace(case, volume=number)


def _notes(cases: list[Case], headers: dict[Path, Grid], reading: Reading, told: bool) -> list[str]:
    """How the files were understood where they left something open."""
    used = [headers[case.image] for case in cases]
    notes = []
    if not (reading.unit or told) and any(case.unit != "HU" for case in cases):
        pairs = any("target" in case.others for case in cases)
        notes.append(UNKNOWN_UNIT + (" Of pairs: --unit a.u.,HU from MR to CT." if pairs else ""))
    if names := [grid.file.name for grid in used if grid.unspaced]:
        notes.append(f"The spacing of {tables.listed(names, 3)} is not known: 1 mm is taken.")
    if names := [grid.file.name for grid in used if not grid.known]:
        notes.append(
            f"The headers of {tables.listed(names, 3)} do not say where left is: it is taken as "
            "most programs do."
        )
    if names := [grid.file.name for grid in used if grid.torn]:
        notes.append(f"sform and qform of {tables.listed(names, 3)} differ: the sform is taken.")
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
