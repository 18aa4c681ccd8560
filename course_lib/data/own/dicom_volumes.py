"""Volumes of DICOM series, read when they are asked for and not kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from course_lib.data.own import checks
from course_lib.data.own.dicom_pixels import values
from course_lib.data.own.dicom_series import Series
from course_lib.data.volume import HU_RANGE, Head, Volume
from course_lib.errors import CourseError


class Streamed(Sequence[Volume]):
    """The volumes of series. `heads` says what each is; its pixels are read when it is taken."""

    def __init__(
        self, place: Path, series: Sequence[Series], names: Sequence[str], units: Sequence[str]
    ) -> None:
        self.place, self._series = place, list(series)
        self.heads = tuple(map(_head, series, names, units))

    def __len__(self) -> int:
        return len(self._series)

    @overload
    def __getitem__(self, index: int) -> Volume: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Volume, ...]: ...
    def __getitem__(self, index: int | slice) -> Volume | tuple[Volume, ...]:
        if isinstance(index, slice):
            return tuple(self[k] for k in range(*index.indices(len(self))))
        try:
            return _volume(self._series[index], self.heads[index])
        except CourseError:
            # One is wrong: all are looked at, so that they can be mended at once.
            checks.refuse(self.place, self.faults(), len(self))
            raise

    def faults(self) -> dict[str, str]:
        """Name of each volume whose pixels cannot be used → why. Reads all."""
        found = {}
        for series, head in zip(self._series, self.heads, strict=True):
            try:
                _volume(series, head)
            except CourseError as error:
                found[head.case] = str(error).rstrip(".")
        return found


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
