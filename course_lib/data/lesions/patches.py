"""Where lungs have room for nodules, and patches with nodules in real lung."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage

from course_lib.cases import Cases
from course_lib.data.lesions.insert import grid_size, put
from course_lib.data.lesions.shapes import Shape, nodules, shape
from course_lib.data.sets import chest_ct, lidc
from course_lib.data.sets.chest_ct import organ_names
from course_lib.data.sets.lidc import RATINGS, Annotation, Nodule
from course_lib.data.volume import Volume
from course_lib.errors import CourseError

ATTACHED = 0.2
"""Share of patches whose nodule touches the wall."""


@dataclass(frozen=True)
class Lungs:
    """Where a scan has room for nodules.

    voxels: (k, 3) voxels (z, y, x) inside the lungs, on every second row and column, away from the
    scan's own nodules. wall_mm, vessel_mm: (k,) their distance to the lung's surface and to the
    next larger vessel. side: (k,) 1 left, 2 right.
    """

    volume: Volume
    voxels: np.ndarray
    wall_mm: np.ndarray
    vessel_mm: np.ndarray
    side: np.ndarray


def lungs(volume: Volume | None = None) -> Lungs:
    """Measures the room in a scan's labelled lungs (`chest_ct` by default, which is kept); some
    seconds.

    Raises CourseError for a volume without the label `organs`.
    """
    if volume is None:
        return _chest_lungs()
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
    (box,) = ndimage.find_objects((side > 0).astype(np.uint8))
    corner = [part.start for part in box]
    side = np.pad(side[box], 1)  # whatever lies beyond the box is not lung
    smooth = ndimage.gaussian_filter(volume.image[:, ::2, ::2][box], (0, 0.7, 0.7))
    free = ~(np.pad(smooth > -500, 1) & (side > 0))
    spacing = np.array(volume.spacing_mm) * (1, 2, 2)
    wall, vessel = (
        ndimage.distance_transform_edt(mask, sampling=spacing).astype(np.float32)
        for mask in (side > 0, free)
    )
    inside = np.nonzero(side)
    voxels = (np.stack(inside, axis=1) + corner - 1) * (1, 2, 2)
    return Lungs(volume, voxels.astype(np.int16), wall[inside], vessel[inside], side[inside])


@lru_cache(maxsize=1)
def _chest_lungs() -> Lungs:
    return lungs(chest_ct.load())


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
    return _place(room, shape(nodule), generator, attached, lung)


def _place(
    room: Lungs, outline: Shape, generator: torch.Generator, attached: bool, lung: str
) -> tuple[int, int, int]:
    radius = outline.radius_mm
    if attached:
        fits = (room.wall_mm > 0.4 * radius) & (room.wall_mm < 0.9 * radius)
    else:
        fits = (room.wall_mm > radius + 1) & (room.vessel_mm > 0.7 * radius + 1)
    if lung != "both":
        fits &= room.side == {"left": 1, "right": 2}[lung]
    half = grid_size(outline, room.volume.spacing_mm) // 2
    limit = np.array(room.volume.image.shape) - half - 1
    found = np.flatnonzero(fits)
    near = room.voxels[found]
    found = found[((near >= half) & (near <= limit)).all(1)]
    if not len(found):
        raise CourseError(
            f"The {lung} lung(s) of {room.volume.subject} have no room for a nodule of "
            f"{2 * radius:.0f} mm. Choose a smaller one, or attached=True."
        )
    pick = found[int(torch.randint(len(found), (1,), generator=generator))]
    return tuple(room.voxels[pick].tolist())


def nodule_patches(
    n: int,
    size: int = 64,
    seed: int = 0,
    slices: int = 1,
    min_raters: int = 3,
    lung: str = "both",
    patients: Sequence[str] | None = None,
    among: Sequence[Nodule] | None = None,
    room: Lungs | None = None,
) -> Cases:
    """Patches of real lung with a nodule in the middle, and the same lung without it.

    Arguments:
        n: how many; nodules come in random order and repeat, at other places, when they run out.
        size: pixels (of 0.703 mm) along y and x; slices: of 2.5 mm, 1 for a 2D patch.
        seed: the same seed gives the same patches.
        min_raters: outlines that a nodule needs. lung: `left`, `right` or `both`, so that training
        and test need not share a background: it is all of ONE scan.
        patients: whose nodules; all by default. among: which nodules, instead of all with enough
        raters. room: where they may lie; by default anywhere in the lungs of `chest_ct`.
    Returns Cases, `subject` = the patient whose nodule it is, with
        image, background   (n, 1, size, size) or (n, 1, slices, size, size), HU
        mask                the same shape, uint8
        malignancy          (n,), mean over the raters, 1 … 5
        ratings             (n, 9), means in the order of `lidc.RATINGS`
        raters              (n,), how many outlined it
    """
    found = nodules(min_raters) if among is None else among
    known = [k for k in found if patients is None or k.patient in patients]
    known = [k for k in known if max(k.annotations, key=_width).diameter_mm < 0.6 * size]
    if not known:
        raise CourseError("No nodule is left: allow more patients, fewer raters or larger patches.")
    room = room or lungs()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(known), generator=generator).tolist()
    images, masks, before, picked = [], [], [], []
    attempt = 0
    while len(picked) < n:
        nodule = known[order[attempt % len(known)]]
        attempt += 1
        outline = shape(nodule)
        attached = float(torch.rand(1, generator=generator)) < ATTACHED
        try:
            centre = _place(room, outline, generator, attached, lung)
        except CourseError:  # too large for this lung: the next one
            if attempt > 50 * (n + len(known)):
                raise
            continue
        local, middle = _crop(room.volume, centre, outline, size, slices)
        image, mask = put(local, outline, nodule.ratings, middle, generator)
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
    half = np.maximum(grid_size(outline, volume.spacing_mm), (slices, size, size)) // 2 + 1
    low = np.clip(np.array(centre) - half, 0, None)
    high = np.minimum(np.array(centre) + half + 1, volume.image.shape)
    # A patch at the edge of the scan moves inward rather than leave it.
    low = np.minimum(low, high - 2 * half - 1).clip(0)
    part = volume.image[tuple(map(slice, low, high))]
    return replace(volume, image=part, labels={}), tuple(
        int(c - a) for c, a in zip(centre, low, strict=True)
    )
