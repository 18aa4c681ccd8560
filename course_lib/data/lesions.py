"""Lung nodules in real CT: shapes drawn by radiologists, appearance driven by their ratings.

LIDC-IDRI's outlines come without pixels (but for one scan), so each nodule's measured shape is put
into a real lung of `chest_ct` and given the density that its ratings describe. Shape, size, ratings
and background are measured; the nodule's own CT numbers are simulated.

Numbers by texture rating (1 ground glass … 3 part-solid … 5 solid) follow the usual description of
nodules, MacMahon et al. 2017, doi:10.1148/radiol.2017161659; the use of smoothly blended inserts
follows Pezeshk et al. 2015, doi:10.1109/TMI.2015.2443978.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage

from course_lib.cases import Cases
from course_lib.data import lidc, volumes
from course_lib.data.lidc import RATINGS, Annotation, Nodule
from course_lib.data.volumes import Volume, fill_polygon, organ_names
from course_lib.errors import CourseError

GROUND_GLASS_HU, SOLID_HU, CALCIUM_HU = -600.0, 40.0, 330.0
NOISE_HU = 60.0
"""What differs more from its surroundings is a small vessel, not noise."""
FINE = (4, 2, 2)
"""Fine voxels per voxel (z, y, x), for partial volume."""


@dataclass(frozen=True)
class Shape:
    """A nodule's shape on its own scan's grid.

    level: signed distance to the surface [mm], positive inside, mean over the raters, (z, y, x).
    spacing_mm: (z, y, x). volume_mm3: of the voxels inside, where the raters agree on average.
    """

    level: np.ndarray
    spacing_mm: tuple[float, float, float]
    volume_mm3: float

    @property
    def radius_mm(self) -> float:
        """Of the ball of the same volume."""
        return float((3 * self.volume_mm3 / (4 * np.pi)) ** (1 / 3))


@lru_cache(maxsize=4)
def nodules(min_raters: int = 3) -> tuple[Nodule, ...]:
    """LIDC nodules that at least so many raters outlined, without five where neighbours touch."""
    return tuple(n for n in lidc.nodules() if min_raters <= len(n.annotations) <= 4)


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
    volume = float((level > 0).sum() * np.prod(spacing))
    return Shape(level, spacing, volume)


def _signed_distance(inside: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    within = ndimage.distance_transform_edt(inside, sampling=spacing)
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    return np.where(inside, within - 0.5 * spacing[1], 0.5 * spacing[1] - beyond)


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
    drawn = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    level = _on_grid(shape(nodule), volume.spacing_mm, drawn)
    size = [extent // fine for extent, fine in zip(level.shape, FINE, strict=True)]
    start = [c - s // 2 for c, s in zip(centre, size, strict=True)]
    stop = [a + s for a, s in zip(start, size, strict=True)]
    if min(start) < 0 or any(b > n for b, n in zip(stop, volume.image.shape, strict=True)):
        raise CourseError(
            f"A nodule of {size} voxels does not fit at {tuple(centre)} into a volume of shape "
            f"{volume.image.shape}. Choose a place with lesions.place()."
        )
    box = tuple(map(slice, start, stop))
    opacity, density = _appearance(level, nodule.ratings, volume.spacing_mm, drawn)
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
    size = _grid_size(outline, spacing)
    angle, mirror = drawn.uniform(0, 2 * np.pi), drawn.choice([-1.0, 1.0])
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    ) @ np.diag([1, 1, mirror])
    fine = np.array(spacing) / FINE
    matrix = turn * fine / np.array(outline.spacing_mm)[:, None]
    inside = np.argwhere(outline.level > 0)
    middle = inside.mean(0) if len(inside) else (np.array(outline.level.shape) - 1) / 2
    offset = middle - matrix @ ((size * FINE - 1) / 2)
    level = ndimage.affine_transform(
        outline.level, matrix, offset, output_shape=tuple(size * FINE), order=1, mode="nearest"
    )
    # Interpolating between slices changes the volume a little; moving the surface restores it.
    wanted = outline.volume_mm3 / np.prod(fine)
    return level - np.partition(level.ravel(), -int(wanted) - 1)[-int(wanted) - 1]


def _grid_size(outline: Shape, spacing: Sequence[float]) -> np.ndarray:
    """Voxels (z, y, x), odd numbers, that hold a turned nodule with its margin and spicules."""
    extent = np.array(outline.level.shape) * outline.spacing_mm
    reach = np.array([extent[0], *[np.hypot(*extent[1:])] * 2]) / 2 + (1.0, 3.0, 3.0)
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
    grain = ndimage.gaussian_filter(drawn.standard_normal(level.shape), 1.2 / fine)
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


@dataclass(frozen=True)
class Lungs:
    """Where a scan has room for nodules, on every second row and column.

    wall_mm, vessel_mm: distance to the lung's surface and to the next larger vessel; 0 outside the
    lungs and near the scan's own nodules. side: 1 left, 2 right, 0 elsewhere. All (z, y/2, x/2).
    """

    volume: Volume
    wall_mm: np.ndarray
    vessel_mm: np.ndarray
    side: np.ndarray


def lungs(volume: Volume | None = None) -> Lungs:
    """Measures the room in a scan's labelled lungs (`chest_ct` by default); some seconds.

    Raises CourseError for a volume without the label `organs`.
    """
    volume = volume or volumes.chest_ct()
    if "organs" not in volume.labels:
        raise CourseError(f"{volume.subject} has no label 'organs', so its lungs are unknown.")
    lobes = {k: name for k, name in organ_names().items() if name.startswith("lung_")}
    organs = volume.labels["organs"][:, ::2, ::2]
    side = np.zeros(organs.shape, np.uint8)
    side[np.isin(organs, [k for k, name in lobes.items() if name.endswith("left")])] = 1
    side[np.isin(organs, [k for k, name in lobes.items() if name.endswith("right")])] = 2
    for annotation in lidc.annotations(volume.subject):
        own = np.argwhere(lidc.mask(annotation, volume)) // (1, 2, 2)
        low, high = own.min(0) - np.array((3, 8, 8)), own.max(0) + np.array((4, 9, 9))
        side[tuple(map(slice, low, high))] = 0
    spacing = np.array(volume.spacing_mm) * (1, 2, 2)
    vessels = ndimage.gaussian_filter(volume.image, (0, 1.2, 1.2))[:, ::2, ::2] > -500
    wall = ndimage.distance_transform_edt(side > 0, sampling=spacing).astype(np.float32)
    free = ~(vessels & (side > 0))
    vessel = ndimage.distance_transform_edt(free, sampling=spacing).astype(np.float32)
    return Lungs(volume, wall, vessel, side)


@lru_cache(maxsize=1)
def _chest_lungs() -> Lungs:
    return lungs()


def place(
    room: Lungs,
    nodule: Nodule,
    generator: torch.Generator,
    attached: bool = False,
    lung: str = "both",
) -> tuple[int, int, int]:
    """A voxel (z, y, x) in a lung where a nodule has room.

    Its middle keeps a radius from the wall and about as much from larger vessels; with `attached`
    it lies so near the wall that the nodule touches. `lung`: `left`, `right` or `both`.
    Raises CourseError if there is no such place.
    """
    outline = shape(nodule)
    radius = outline.radius_mm
    if attached:
        fits = (room.wall_mm > 0.4 * radius) & (room.wall_mm < 0.9 * radius)
    else:
        fits = (room.wall_mm > radius + 1) & (room.vessel_mm > 0.7 * radius + 1)
    fits &= {"both": room.side > 0, "left": room.side == 1, "right": room.side == 2}[lung]
    half = _grid_size(outline, room.volume.spacing_mm) // 2 + 1
    edge = [slice(h, -h) for h in (half[0], *(half[1:] // 2 + 1))]
    found = np.argwhere(fits[tuple(edge)])
    if not len(found):
        raise CourseError(
            f"The {lung} lung(s) of {room.volume.subject} have no room for a nodule of "
            f"{2 * radius:.0f} mm. Choose a smaller one, or attached=True."
        )
    pick = found[int(torch.randint(len(found), (1,), generator=generator))]
    z, y, x = (int(p) + e.start for p, e in zip(pick, edge, strict=True))
    return z, 2 * y, 2 * x


def nodule_patches(
    n: int,
    size: int = 64,
    seed: int = 0,
    slices: int = 1,
    min_raters: int = 3,
    lung: str = "both",
    patients: Sequence[str] | None = None,
) -> Cases:
    """Patches of real lung with a nodule in the middle, and the same lung without it.

    Arguments:
        n: how many; nodules come in random order and repeat, at other places, when they run out.
        size: pixels (of 0.703 mm) along y and x; slices: of 2.5 mm, 1 for a 2D patch.
        seed: the same seed gives the same patches.
        min_raters: outlines that a nodule needs. lung: `left`, `right` or `both`, so that training
        and test need not share a background: it is all of ONE scan.
        patients: whose nodules; all by default.
    Returns Cases, `subject` = the patient whose nodule it is, with
        image, background   (n, 1, size, size) or (n, 1, slices, size, size), HU
        mask                the same shape, uint8
        malignancy          (n,), mean over the raters, 1 … 5
        ratings             (n, 9), means in the order of `lidc.RATINGS`
        raters              (n,), how many outlined it
    """
    known = [k for k in nodules(min_raters) if patients is None or k.patient in patients]
    known = [k for k in known if max(k.annotations, key=_width).diameter_mm < 0.6 * size]
    if not known:
        raise CourseError("No nodule is left: allow more patients, fewer raters or larger patches.")
    room = _chest_lungs()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(known), generator=generator).tolist()
    images, masks, before, picked = [], [], [], []
    attempt = 0
    while len(picked) < n:
        nodule = known[order[attempt % len(known)]]
        attempt += 1
        free = float(torch.rand(1, generator=generator)) > 0.2
        try:
            centre = place(room, nodule, generator, attached=not free, lung=lung)
        except CourseError:  # too large for this lung: the next one
            if attempt > 50 * (n + len(known)):
                raise
            continue
        local, middle = _crop(room.volume, centre, shape(nodule), size, slices)
        image, mask = insert(local, nodule, middle, generator)
        box = tuple(
            slice(m - w // 2, m - w // 2 + w)
            for m, w in zip(middle, (slices, size, size), strict=True)
        )
        for parts, part in ((images, image), (masks, mask), (before, local.image)):
            parts.append(part[box] if slices > 1 else part[box][0])
        picked.append(nodule)
    ratings = torch.tensor([_mean_ratings(nodule) for nodule in picked])
    return Cases(
        tensors={
            "image": torch.from_numpy(np.stack(images))[:, None],
            "background": torch.from_numpy(np.stack(before))[:, None],
            "mask": torch.from_numpy(np.stack(masks).astype(np.uint8))[:, None],
            "malignancy": ratings[:, RATINGS.index("malignancy")],
            "ratings": ratings,
            "raters": torch.tensor([len(nodule.annotations) for nodule in picked]),
        },
        case=[
            f"{nodule.patient}/nodule-{nodule.annotations[0].identifier}/place-{k:05d}"
            for k, nodule in enumerate(picked)
        ],
        subject=[nodule.patient for nodule in picked],
        group=["inserted"] * n,
        spacing_mm=torch.tensor(room.volume.spacing_mm)[-2 if slices == 1 else -3 :].repeat(n, 1),
        provenance={
            "image": "measured lung, nodule simulated from a measured shape and ratings",
            "background": "measured",
            "mask": "measured shape, resampled",
            "malignancy": "measured",
            "ratings": "measured",
        },
    )


def _width(annotation: Annotation) -> float:
    return float(np.ptp(annotation.bounds_mm[:, 1:], axis=0).max())


def _mean_ratings(nodule: Nodule) -> list[float]:
    return [float(np.mean([a.ratings[name] for a in nodule.annotations])) for name in RATINGS]


def _crop(
    volume: Volume, centre: Sequence[int], outline: Shape, size: int, slices: int
) -> tuple[Volume, tuple[int, ...]]:
    """The part of a volume that a patch and its nodule need, and the centre in it."""
    half = np.maximum(_grid_size(outline, volume.spacing_mm), (slices, size, size)) // 2 + 1
    low = np.clip(np.array(centre) - half, 0, None)
    high = np.minimum(np.array(centre) + half + 1, volume.image.shape)
    # A patch at the edge of the scan moves inward rather than leave it.
    low = np.minimum(low, high - 2 * half - 1).clip(0)
    part = volume.image[tuple(map(slice, low, high))]
    return replace(volume, image=part, labels={}), tuple(
        int(c - a) for c, a in zip(centre, low, strict=True)
    )
