"""Where the slices of a DICOM series lie, and how they are brought onto one right-angled grid.

ImagePositionPatient says where each slice's first pixel lies, ImageOrientationPatient which way its
rows and columns run; their cross product is the normal of the slices. On a right-angled grid each
slice follows the last one along the normal, by equal steps. Two things are mended, because head CT
is made so: slices that are shifted in their own plane against each other (a tilted gantry: the
table moves along the patient while the planes are tilted) are shifted back, and two runs of even
steps (thin below, thick above) are interpolated to the finer one. A missing slice is not made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_lib.data.own.dicom_headers import Plane
from course_lib.data.volume import Placed, lps
from course_lib.errors import CourseError

SHIFT = 0.1  # pixels; less is rounding of positions
RUN = 3  # steps; fewer of one length are an accident, no way to scan


@dataclass(frozen=True, eq=False)
class Grid:
    """A right-angled grid and how its slices become it.

    Arguments:
        planes: the images in the order of the normal.
        depth: along the normal in mm (n,), from 0.
        wanted: the same for the slices of the grid; equal to `depth` where steps are even.
        shifts: in pixels, rows and columns (n, 2), of each slice against the first; zeros where the
            gantry is not tilted.
        spacing: (slices, rows, columns) in mm.
        directions: of slices, rows and columns, as rows of a matrix (3, 3), in LPS.
        tilt: in degrees.
        steps: the even steps in mm that the series has: one, or several that are interpolated.
    """

    planes: tuple[Plane, ...]
    depth: np.ndarray
    wanted: np.ndarray
    shifts: np.ndarray
    spacing: tuple[float, float, float]
    directions: np.ndarray
    tilt: float
    steps: tuple[float, ...]

    @property
    def margins(self) -> np.ndarray:
        """Pixels (2, 2) to add before and after rows and columns, so that nothing is lost."""
        before, after = -self.shifts.min(0), self.shifts.max(0)
        return np.ceil(np.stack([before, after], 1).clip(0) - 1e-6).astype(int)

    @property
    def placed(self) -> Placed:
        """How the volume lies, with its margins, known without its pixels."""
        (top, below), (left, right) = self.margins
        first = np.asarray(self.planes[0].position, float)
        affine = np.eye(4)
        affine[:3, :3] = (self.directions * np.array(self.spacing)[:, None])[::-1].T
        affine[:3, 3] = first - affine[:3, :2] @ (left, top)
        affine[:2] *= -1  # from LPS to RAS, as NIfTI has it
        rows, columns = self.planes[0].rows + top + below, self.planes[0].columns + left + right
        return lps((int(columns), int(rows), len(self.wanted)), affine)

    def volume(self, values: np.ndarray, fill: float) -> np.ndarray:
        """The values on the grid in LPS order (z, y, x).

        Arguments:
            values: float32 (n, rows, columns) of `planes`.
            fill: where no slice lies.
        """
        if self.shifts.any():
            values = _shifted(values, self.shifts, self.margins, fill)
        if len(self.steps) > 1:
            values = _interpolated(values, self.depth, self.wanted)
        return np.ascontiguousarray(self.placed.turned(values.transpose(2, 1, 0)))


def stacked(planes: Sequence[Plane]) -> Grid:
    """The grid of images of one size and orientation that lie at different places.

    Raises CourseError when directions are no directions, a slice is missing, steps are uneven, or
    slices are shifted against each other irregularly.
    """
    first = planes[0]
    if first.position is None or first.orientation is None or first.spacing is None:
        raise CourseError("its images have no position")
    row, column = first.orientation[:3], first.orientation[3:]
    lengths = np.linalg.norm([row, column], axis=1)
    if abs(lengths - 1).max() > 0.01 or abs(row @ column) > 0.01 or min(first.spacing) <= 0:
        raise CourseError(
            f"its geometry is damaged: directions {first.orientation.tolist()}, pixels of "
            f"{first.spacing} mm; two directions at right angles and sizes above 0 are needed"
        )
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    places = np.array([plane.position for plane in planes])
    order = np.argsort(places @ normal, kind="stable")
    places = places[order] - places[order[0]]
    depth = places @ normal
    wanted, steps = _even(depth)
    shifts, tilt = _shifts(depth, np.stack([places @ column, places @ row], 1), first.spacing)
    return Grid(
        planes=tuple(planes[k] for k in order),
        depth=depth,
        wanted=wanted,
        shifts=shifts,
        spacing=(float(wanted[1] - wanted[0]), *first.spacing),
        directions=np.stack([normal, column, row]),
        tilt=tilt,
        steps=steps,
    )


def _even(depth: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """The even places that slices are brought to, and the steps that they have now.

    Positions are often written with one decimal, so steps may waver where places do not.
    """
    count, steps = len(depth), np.diff(depth)
    mean = depth[-1] / (count - 1)
    even = mean * np.arange(count)
    if abs(depth - even).max() <= max(0.1, 0.1 * mean) and abs(steps - mean).max() <= 0.25 * mean:
        return even, (round(float(mean), 3),)
    runs = _runs(steps)
    odd = [number for number in range(len(runs)) if not _deliberate(runs, number)]
    usual = float(
        np.median(
            [step for number, (_, _, step) in enumerate(runs) if number not in odd] or steps.min()
        )
    )
    for start, _, step in (runs[number] for number in odd):
        if step > 1.7 * min(usual, steps.min()):
            raise CourseError(
                f"its slices lie {usual:.2f} mm apart, but {step:.2f} mm after slice "
                f"{start + 1} of {count}: slices are missing"
            )
    if odd:
        raise CourseError(
            f"its slices lie unevenly, {steps.min():.2f} to {steps.max():.2f} mm apart"
        )
    known = sorted({round(step, 2) for _, length, step in runs if length >= RUN})
    finest = min(step for _, length, step in runs if length >= RUN)
    return np.arange(0, depth[-1] + 0.01 * finest, finest), tuple(known)


def _deliberate(runs: list[tuple[int, int, float]], number: int) -> bool:
    """Whether steps are meant so: a run of them, or the step between a thin and a thick run."""
    _, length, step = runs[number]
    if length >= RUN:
        return True
    around = [runs[k] for k in (number - 1, number + 1) if 0 <= k < len(runs)]
    if length > 1 or len(around) < 2 or min(other[1] for other in around) < RUN:
        return False
    sides = [other[2] for other in around]
    return 0.98 * min(sides) <= step <= 1.02 * max(sides) and max(sides) > 1.1 * min(sides)


def _runs(steps: np.ndarray) -> list[tuple[int, int, float]]:
    """(first step, how many, mean in mm) of each row of equal steps."""
    runs: list[list[int]] = [[0, 1]]
    for k in range(1, len(steps)):
        start, length = runs[-1]
        if abs(steps[k] - steps[start : start + length].mean()) <= max(0.02 * steps[k], 0.06):
            runs[-1][1] += 1
        else:
            runs.append([k, 1])
    return [(start, length, float(steps[start : start + length].mean())) for start, length in runs]


def _shifts(
    depth: np.ndarray, within: np.ndarray, spacing: tuple[float, float]
) -> tuple[np.ndarray, float]:
    """Shifts in pixels (n, 2) and the tilt in degrees, from places in the plane of the slices."""
    if abs(within / spacing).max() <= SHIFT:
        return np.zeros_like(within), 0.0
    slope = depth @ within / (depth @ depth)  # of the straight line through the first slice
    off = abs(within - depth[:, None] * slope).max()
    if off > SHIFT * min(spacing) + 0.1:
        raise CourseError(
            f"its slices are shifted against each other by up to {abs(within).max():.1f} mm, not "
            "along one line: neither a straight stack nor a tilted gantry"
        )
    return within / spacing, float(np.degrees(np.arctan(np.linalg.norm(slope))))


def _shifted(
    values: np.ndarray, shifts: np.ndarray, margins: np.ndarray, fill: float
) -> np.ndarray:
    """Each slice moved by its shift (linear interpolation), with margins to hold all of them."""
    from scipy import ndimage

    padded = np.pad(values, ((0, 0), *margins), constant_values=fill)
    for k, shift in enumerate(shifts):
        padded[k] = ndimage.shift(padded[k], shift, order=1, cval=fill)
    return padded


def _interpolated(values: np.ndarray, depth: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Slices at other places, linear between their two neighbours."""
    above = np.searchsorted(depth, wanted, side="left").clip(1, len(depth) - 1)
    share = (wanted - depth[above - 1]) / (depth[above] - depth[above - 1])
    share = share.clip(0, 1).astype(np.float32)[:, None, None]
    return values[above - 1] * (1 - share) + values[above] * share
