"""Lungs as a ground for nodules: any chest CT on a 1 mm grid, with the places that have room.

The training patient's lungs are those of his organ labels. The four tumour patients have none:
their lungs are what is darker than -500 HU and not the air around the body; the tumour is kept as
a mask. Measuring the room takes some seconds, so the result is kept in the course's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from course_lib.data import derived
from course_lib.data.sets import chest_ct, lidc, lung_tumours
from course_lib.data.sets.chest_ct import organ_names
from course_lib.data.volume import Volume

PIXEL_MM = 1.0
PARTS = ("lung", "known", "voxels", "wall_mm", "vessel_mm")
ABOUT = ("image", "about", "subject")
AIR_HU, BODY_AIR_HU, VESSEL_HU = -500.0, -870.0, -500.0


@dataclass(frozen=True)
class Ground:
    """A scan that nodules can be put into.

    volume: HU, pixels of 1 mm in the plane. lung: bool (z, y, x). known: bool, lesions that the
    scan already has. voxels (k, 3), wall_mm (k,), vessel_mm (k,): places, and how far the lung's
    surface and the next larger vessel are.
    """

    volume: Volume
    lung: np.ndarray
    known: np.ndarray
    voxels: np.ndarray
    wall_mm: np.ndarray
    vessel_mm: np.ndarray


@lru_cache(maxsize=1)
def chest() -> Ground:
    """The training patient (LIDC-IDRI-0001), with his own nodule in `known`."""

    def measure() -> list[Ground]:
        volume = chest_ct.load()
        numbers = [k for k, name in organ_names().items() if name.startswith("lung_")]
        lung = np.isin(volume.labels["organs"], numbers)
        known = np.zeros(lung.shape, bool)
        for annotation in lidc.annotations(volume.subject):
            known |= lidc.mask(annotation, volume)
        return [_ground(volume, lung, known)]

    return _kept("chest_ct", measure)[0]


@lru_cache(maxsize=1)
def tumour_patients() -> tuple[Ground, ...]:
    """The four patients of `lung_tumours`, with their tumours in `known`."""

    def measure() -> list[Ground]:
        return [
            _ground(volume, dark_lung(volume.image), volume.labels["gtv"] > 0)
            for volume in lung_tumours.load()
        ]

    return tuple(_kept("lung_tumours", measure))


def _kept(name: str, measure: Callable[[], list[Ground]]) -> list[Ground]:
    """What `measure` gives, from the cache if it was measured before by this very code."""

    def arrays() -> dict[str, np.ndarray]:
        made = {}
        for k, ground in enumerate(measure()):
            made |= {f"{k}_{part}": getattr(ground, part) for part in PARTS}
            made[f"{k}_image"] = np.round(ground.volume.image).astype(np.int16)
            made[f"{k}_about"] = np.array([*ground.volume.spacing_mm, *ground.volume.origin_mm])
            made[f"{k}_subject"] = np.array(ground.volume.subject)
        return made

    found = derived.kept(f"grounds/{name}", arrays, __name__)
    count = sum(key.endswith("_image") for key in found)
    return [_ground_of({p: found[f"{k}_{p}"] for p in (*PARTS, *ABOUT)}) for k in range(count)]


def _ground_of(arrays: dict[str, np.ndarray]) -> Ground:
    about = tuple(arrays["about"].tolist())
    image = arrays["image"].astype(np.float32)
    volume = Volume(image, about[:3], str(arrays["subject"]), "HU", about[3:])
    return Ground(volume, **{part: arrays[part] for part in PARTS})


def dark_lung(image: np.ndarray) -> np.ndarray:
    """The lungs of a CT (z, y, x) in HU: large connected parts below -500 HU that are not as dark
    as the air around the body."""
    smooth = ndimage.gaussian_filter(image, (0, 1, 1))
    parts, _ = ndimage.label(smooth < AIR_HU)
    counts = np.bincount(parts.ravel())
    means = np.bincount(parts.ravel(), weights=image.ravel()) / np.maximum(counts, 1)
    chosen = (counts > 0.01 * image.size) & (means > BODY_AIR_HU)
    chosen[0] = False
    return chosen[parts]


def _ground(volume: Volume, lung: np.ndarray, known: np.ndarray) -> Ground:
    size = [
        round(n * mm / PIXEL_MM)
        for n, mm in zip(volume.image.shape[1:], volume.spacing_mm[1:], strict=True)
    ]
    image = _resized(volume.image, size)
    lung, known = (_resized(each.astype(np.float32), size) > 0.5 for each in (lung, known))
    spacing = (volume.spacing_mm[0], PIXEL_MM, PIXEL_MM)
    lung = _closed(lung)  # vessels belong to the lung
    # Nobody puts a nodule into a lesion that is there already.
    far = np.ones(known.shape, bool)
    for part in ndimage.find_objects(known.astype(np.uint8)):
        z, y, x = (
            slice(max(0, p.start - m), p.stop + m) for p, m in zip(part, (2, 5, 5), strict=True)
        )
        far[z, y, x] = False
    # Distances on every second row and column of the lungs: a tenth of the work.
    (box,) = ndimage.find_objects(lung.astype(np.uint8))
    coarse = tuple(
        slice(part.start, part.stop, step) for part, step in zip(box, (1, 2, 2), strict=True)
    )
    inside = np.pad(lung[coarse], 1)
    smooth = np.pad(ndimage.gaussian_filter(image[coarse], (0, 0.5, 0.5)), 1)
    wall, vessel = (
        ndimage.distance_transform_edt(mask, sampling=np.array(spacing) * (1, 2, 2))
        for mask in (inside, ~(inside & (smooth > VESSEL_HU)))
    )
    places = np.nonzero(inside & np.pad(far[coarse], 1))
    corner = np.array([part.start for part in box])
    return Ground(
        Volume(image, spacing, volume.subject, "HU", volume.origin_mm),
        lung,
        known,
        ((np.stack(places, axis=1) - 1) * (1, 2, 2) + corner).astype(np.int16),
        wall[places].astype(np.float32),
        vessel[places].astype(np.float32),
    )


def _closed(lung: np.ndarray, reach: int = 3) -> np.ndarray:
    """Each slice's holes of up to 2·reach pixels filled: grown, then shrunk again."""
    (box,) = ndimage.find_objects(lung.astype(np.uint8))
    pooled = torch.from_numpy(lung[box].astype(np.float32))[:, None]
    for sign in (1, -1):
        for kernel, pad in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
            pooled = sign * F.max_pool2d(sign * pooled, kernel, stride=1, padding=pad)
    closed = lung.copy()
    closed[box] |= pooled[:, 0].numpy() > 0.5
    return closed


def _resized(volume: np.ndarray, size: list[int]) -> np.ndarray:
    """Each slice on another grid, averaged where that is coarser."""
    slices = torch.from_numpy(volume)[:, None]
    return F.interpolate(slices, size=size, mode="bilinear", antialias=True)[:, 0].numpy()
