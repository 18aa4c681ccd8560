"""Nodules put into a CT volume: density by their ratings, edges by partial volume.

The kinds of nodule (ground glass, part-solid, solid) are those of MacMahon et al. 2017,
doi:10.1148/radiol.2017161659; that each rating stands for a CT number is this course's own rule.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage

from course_lib.data.lesions.shapes import Shape, shape
from course_lib.data.sets.lidc import Nodule
from course_lib.data.volume import Volume
from course_lib.errors import CourseError

GROUND_GLASS_HU, SOLID_HU, CALCIUM_HU = -600.0, 40.0, 330.0
NOISE_HU = 60.0
"""What differs more from its surroundings is a small vessel, not noise."""
FINE = (4, 2, 2)
"""Fine voxels per voxel (z, y, x), for partial volume."""


def insert(
    volume: Volume, nodule: Nodule, centre: Sequence[int], generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Puts a nodule into a volume.

    image = background + opacity · max(density − smooth background, 0)

    so the scan's own noise stays, vessels shine through ground glass, and voxels that the nodule
    does not reach keep their value.

    Arguments:
        volume: CT in HU. nodule: one of `nodules()`. centre: voxel (z, y, x) for its middle.
        generator: chooses turn, texture, calcification and spicules.
    Returns the image, float32 HU, and the mask, bool, both of the volume's shape.
    Raises CourseError if the nodule reaches beyond the volume.
    """
    return put(volume, shape(nodule), nodule.ratings, centre, generator)


def put(
    volume: Volume,
    outline: Shape,
    ratings: dict[str, float],
    centre: Sequence[int],
    generator: torch.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What `insert` does, for a shape and ratings that are already worked out."""
    drawn = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    size = grid_size(outline, volume.spacing_mm)
    start = [int(c - s // 2) for c, s in zip(centre, size, strict=True)]
    stop = [int(a + s) for a, s in zip(start, size, strict=True)]
    if min(start) < 0 or any(b > n for b, n in zip(stop, volume.image.shape, strict=True)):
        raise CourseError(
            f"A nodule of {size.tolist()} voxels does not fit at {tuple(centre)} into a volume of "
            f"shape {volume.image.shape}. Choose a place with lesions.place()."
        )
    box = tuple(map(slice, start, stop))
    level = _on_grid(outline, volume.spacing_mm, drawn)
    opacity, density = _appearance(level, ratings, volume.spacing_mm, drawn)
    image, mask = volume.image.copy(), np.zeros(volume.image.shape, bool)
    smooth = ndimage.gaussian_filter(image[box], (0.5, 1.5, 1.5))
    vessels = image[box] - smooth
    vessels -= np.clip(vessels, -NOISE_HU, NOISE_HU)
    solid = density > -150
    change = np.where(solid, density - smooth - vessels, np.maximum(density - smooth, 0))
    image[box] += opacity * change
    mask[box] = _pool((level > 0).astype(np.float32)) >= 0.5
    return image, mask


def _on_grid(outline: Shape, spacing: Sequence[float], drawn: np.random.Generator) -> np.ndarray:
    """The level function on the fine grid of a scan, turned about z and perhaps mirrored."""
    size = grid_size(outline, spacing)
    angle, mirror = drawn.uniform(0, 2 * np.pi), drawn.choice([-1.0, 1.0])
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    ) @ np.diag([1, 1, mirror])
    fine = np.array(spacing) / FINE
    matrix = turn * fine / np.array(outline.spacing_mm)[:, None]
    offset = outline.middle - matrix @ ((size * FINE - 1) / 2)
    level = ndimage.affine_transform(
        outline.level, matrix, offset, output_shape=tuple(size * FINE), order=1, mode="nearest"
    )
    # Interpolating between slices changes the volume a little; moving the surface restores it.
    wanted = outline.volume_mm3 / np.prod(fine)
    return level - np.partition(level.ravel(), -int(wanted) - 1)[-int(wanted) - 1]


def grid_size(outline: Shape, spacing: Sequence[float]) -> np.ndarray:
    """Voxels (z, y, x), odd numbers, that hold a turned nodule, its soft edge and its spicules."""
    along, across = outline.reach_mm
    reach = np.array([along + 3.0, across + 5.0, across + 5.0])
    return 2 * np.ceil(reach / spacing).astype(int) + 1


def _pool(fine: np.ndarray) -> np.ndarray:
    """Mean over each voxel's fine voxels."""
    z, y, x = (size // f for size, f in zip(fine.shape, FINE, strict=True))
    return fine.reshape(z, FINE[0], y, FINE[1], x, FINE[2]).mean((1, 3, 5))


def _appearance(
    level: np.ndarray,
    ratings: dict[str, float],
    spacing: Sequence[float],
    drawn: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Opacity (0 … 1) and density [HU] on the scan's grid."""
    fine = np.array(spacing) / FINE
    depth = np.clip(level, 0, None) / max(level.max(), 1e-3)  # 0 at the surface, 1 at the core
    grain = ndimage.gaussian_filter(
        drawn.standard_normal(level.shape, dtype=np.float32), 1.2 / fine
    )
    grain /= grain.std()
    softness = 0.25 + 0.3 * (5 - ratings["margin"])  # mm
    opacity = 1 / (1 + np.exp(-np.clip((level + 0.25 * softness * grain) / softness, -30, 30)))
    opacity = np.maximum(opacity, _spicules(level, ratings["spiculation"], fine, drawn))
    # Part-solid nodules have a solid core whose share of the depth grows with the rating.
    solid = (ratings["texture"] - 1) / 4
    core = 1 / (1 + np.exp(-np.clip((depth - (1 - solid) + 0.08 * grain) / 0.06, -30, 30)))
    core = np.full_like(core, solid) if solid in (0, 1) else core
    glass = GROUND_GLASS_HU + 90 * drawn.standard_normal() + 60 * grain
    flesh = SOLID_HU + 20 * drawn.standard_normal() + 14 * grain
    density = glass + core * (flesh - glass)
    density += CALCIUM_HU * _calcium(depth, grain, ratings["calcification"], drawn)
    # The scanner's blur in the plane; across it, the slice averages.
    blurred = (ndimage.gaussian_filter(a, (0, 0.9, 0.9)) for a in (opacity, opacity * density))
    opacity, weighted = map(_pool, blurred)
    opacity[opacity < 0.01] = 0
    return opacity.astype(np.float32), (weighted / np.maximum(opacity, 1e-3)).astype(np.float32)


def _calcium(
    depth: np.ndarray, grain: np.ndarray, rating: float, drawn: np.random.Generator
) -> np.ndarray:
    """Share of calcium by pattern: 1 popcorn, 2 laminated, 3 solid, 4 non-central, 5 central."""
    pattern = round(rating)
    if pattern == 1:
        return 0.9 * (grain > 0.8) * (depth > 0.15)
    if pattern == 2:
        return 0.9 * (np.abs(depth - 0.5) < 0.18)
    if pattern == 3:
        return np.clip(depth / 0.35, 0, 1) * drawn.uniform(0.7, 2.0)
    if pattern == 4:
        return 0.9 * (np.roll(depth, drawn.integers(-6, 7, 2), (1, 2)) > 0.7) * (depth > 0.1)
    if pattern == 5:
        return np.clip((depth - 0.45) / 0.2, 0, 1) * drawn.uniform(0.7, 1.6)
    return np.zeros_like(depth)


def _spicules(
    level: np.ndarray, rating: float, fine: np.ndarray, drawn: np.random.Generator
) -> np.ndarray:
    """Opacity of thin strands that run outward; none at a rating of 1, many and long at 5."""
    result = np.zeros(level.shape, np.float32)
    if rating < 1.5:
        return result
    middle = (np.array(level.shape) - 1) / 2
    for _ in range(int(4 * rating)):
        direction = drawn.standard_normal(3) * (0.5, 1, 1)
        direction /= np.linalg.norm(direction)
        path = np.arange(0, 40, 0.25)[:, None] * direction / fine + middle
        path = path[((path >= 0) & (path < np.array(level.shape) - 1)).all(1)].astype(int)
        height = level[tuple(path.T)]
        length = (0.6 + 0.7 * (rating - 1)) * drawn.uniform(0.5, 1.5)
        strand = (height < 0) & (height > -length)
        taper = 1 + height[strand] / length
        np.maximum.at(result, tuple(path[strand].T), taper)
    blurred = ndimage.gaussian_filter(result, 0.45 / fine)
    return np.clip(0.75 * blurred / max(blurred.max(), 1e-3), 0, 1)
