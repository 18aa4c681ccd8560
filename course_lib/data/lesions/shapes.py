"""The shapes of real nodules: what up to four radiologists outlined, as one smooth surface."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from course_lib.data.sets import lidc
from course_lib.data.sets.lidc import Nodule
from course_lib.data.volume import fill_polygon


@dataclass(frozen=True)
class Shape:
    """A nodule's shape on its own scan's grid.

    level: signed distance to the surface [mm], positive inside, mean over the raters, (z, y, x).
    spacing_mm: (z, y, x). volume_mm3: of the voxels inside, where the raters agree on average.
    middle: their centroid in voxels. reach_mm: how far they lie from it along z, and in the plane.
    """

    level: np.ndarray
    spacing_mm: tuple[float, float, float]
    volume_mm3: float
    middle: np.ndarray
    reach_mm: tuple[float, float]

    @property
    def radius_mm(self) -> float:
        """Of the ball of the same volume."""
        return float((3 * self.volume_mm3 / (4 * np.pi)) ** (1 / 3))


def nodules(min_raters: int = 3) -> tuple[Nodule, ...]:
    """LIDC nodules that at least so many raters outlined, without five where neighbours touch."""
    return tuple(n for n in _all() if min_raters <= len(n.annotations) <= 4)


@lru_cache(maxsize=1)
def _all() -> list[Nodule]:
    return lidc.nodules()


def shape(nodule: Nodule) -> Shape:
    """The consensus shape of a nodule: the mean of its raters' signed distances."""
    first = nodule.annotations[0]
    heights = np.unique([z for one in nodule.annotations for z, _, _ in one.contours])
    steps = np.diff(heights)
    spacing = (
        float(np.median(steps)) if len(steps) else first.slice_thickness_mm,
        *[first.pixel_spacing_mm] * 2,
    )
    points = np.concatenate([p for one in nodule.annotations for _, p, _ in one.contours])
    low = np.floor(points.min(0)).astype(int)[::-1] - 4
    size = np.ceil(points.max(0)).astype(int)[::-1] + 5 - low
    layers = round((heights[-1] - heights[0]) / spacing[0]) + 1
    level = np.zeros((layers + 4, *size), np.float32)
    for annotation in nodule.annotations:
        inside = np.zeros(level.shape, bool)
        for z, outline, inclusion in annotation.contours:
            k = round((z - heights[0]) / spacing[0]) + 2
            corners = outline[:, ::-1] - low
            filled = fill_polygon(tuple(size), corners)
            if inclusion and len(outline) > 8:  # LIDC's outlines lie just outside the nodule
                filled[tuple(corners.astype(int).T)] = False
            inside[k] = inside[k] | filled if inclusion else inside[k] & ~filled
        if not inside.any():  # a speck that its outline covers
            inside[k] |= fill_polygon(tuple(size), corners)
            inside[k][tuple(corners.astype(int).T)] = True
        level += _signed_distance(inside, spacing) / len(nodule.annotations)
    within = np.argwhere(level > 0)
    if not len(within):  # the raters' specks do not meet
        within = np.argwhere(level == level.max())
    middle = within.mean(0)
    z, y, x = ((within - middle) * spacing).T
    reach = float(np.abs(z).max()), float(np.hypot(y, x).max())
    return Shape(level, spacing, float(len(within) * np.prod(spacing)), middle, reach)


def _signed_distance(inside: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    within = ndimage.distance_transform_edt(inside, sampling=spacing)
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    return np.where(inside, within - 0.5 * spacing[1], 0.5 * spacing[1] - beyond)
