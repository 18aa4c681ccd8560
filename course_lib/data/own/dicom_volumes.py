"""Volumes of DICOM series, read when they are asked for and not kept."""

from collections.abc import Sequence
from pathlib import Path

from course_lib.data.own import checks
from course_lib.data.own.dicom_pixels import values
from course_lib.data.own.dicom_series import Series
from course_lib.data.own.lazy import LazyVolumes
from course_lib.data.volume import HU_RANGE, Head, Volume
from course_lib.errors import CourseError


def volumes(
    place: Path, series: Sequence[Series], names: Sequence[str], units: Sequence[str]
) -> LazyVolumes:
    """The volumes of series, by these names and in these units."""
    heads = tuple(map(_head, series, names, units))
    return LazyVolumes(place, heads, lambda k: _volume(series[k], heads[k]))


def _volume(series: Series, head: Head) -> Volume:
    if series.grid is None:
        raise CourseError(f"{series.label} is no volume.")
    measured = values(series.grid.planes, head.unit)
    if head.unit == "HU":
        checks.hounsfield(measured, series.label)
    fill = HU_RANGE[0] if head.unit == "HU" else float(measured.min())
    image, placed = series.grid.volume(measured, fill), series.grid.placed
    return Volume(
        image, placed.spacing_mm, head.subject, head.unit, placed.origin_mm, name=head.case
    )


def _head(series: Series, name: str, unit: str) -> Head:
    if series.grid is None:
        raise CourseError(f"{series.label} is no volume.")
    placed = series.grid.placed
    z, y, x = placed.shape
    return Head(name, series.subject, (z, y, x), placed.spacing_mm, unit)
