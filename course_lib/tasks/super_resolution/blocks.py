"""Blocks of slices for super-resolution: cut from real CT, rendered brains or the user's volumes.

Not a question itself. Everything lies on one scale, -1000 to 1000: HU for CT; for other volumes
black is -1000 and the brightest half percent of the volume 1000, so that one set of networks and
scores serves both. The fact `hounsfield` says which it is.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data.volume import Volume
from course_lib.parts.super_resolution.planes import Scale
from course_lib.physics.degradation import degrade
from course_lib.physics.resolution import enlarge

RANGE = (-1000.0, 1000.0)
DEPTH = 12  # slices in a block; like all sides, a multiple of every factor
MIXED_FACTORS = (2, 3, 4)  # of the field `interpolated`; 6 stays unseen
THICK_NOISE = 10.0

CT = {
    "high_resolution": "measured HU, resampled in-plane",
    "low_resolution": "simulated from measured HU",
}
BRAIN = {
    "high_resolution": "rendered from measured label maps; MNI152: measured, an average",
    "low_resolution": "simulated from the same",
}


@dataclass(frozen=True)
class Loss:
    """How detail is lost: the kind, the factors along (z, y, x), and the seed of the noise."""

    kind: str
    scale: Scale
    seed: int


def factors(kind: str, factor: int) -> Scale:
    """Factors along (z, y, x): thick slices lose detail between slices, all else within them."""
    return (factor, 1, 1) if kind == "thick" else (1, factor, factor)


@lru_cache(maxsize=1)
def chest(pixel_mm: float) -> Tensor:
    """The training patient, kept because reading it takes longer than all the rest."""
    from course_lib.data.sets import chest_ct

    return resampled(chest_ct.load(), pixel_mm)


@lru_cache(maxsize=1)
def lung_tumours() -> list[Volume]:
    """The test patients, kept likewise."""
    from course_lib.data.sets import lung_tumours

    return lung_tumours.load()


@lru_cache(maxsize=8)
def brain(donor: str, size: int, pixel_mm: float, seed: int) -> Tensor:
    """The middle of a rendered T1 head, (size, size, size) on the common scale."""
    from course_lib.data.anatomy import population

    drawn = population(1, 3, size, ("t1",), seed, site="B", subjects=(donor,), spacing_mm=pixel_mm)
    return scaled(drawn["t1"][0, 0])


def average_brain(size: int, pixel_mm: float) -> Tensor:
    """The middle of MNI152's T1, measured, on the same grid."""
    from course_lib.data.sets import brain_mni

    average = brain_mni.load()
    extent = [
        round(n * mm / pixel_mm)
        for n, mm in zip(average.image.shape, average.spacing_mm, strict=True)
    ]
    image = torch.from_numpy(average.image)[None, None]
    image = F.interpolate(image, size=extent, mode="trilinear")[0, 0]
    corner = [(length - size) // 2 for length in extent]
    z, y, x = (slice(first, first + size) for first in corner)
    return scaled(image[z, y, x])


def resampled(volume: Volume, pixel_mm: float) -> Tensor:
    """A CT volume (z, y, x) in HU on pixels of `pixel_mm`; its slices stay as they are."""
    extent = [
        int(n * mm / pixel_mm)
        for n, mm in zip(volume.image.shape[1:], volume.spacing_mm[1:], strict=True)
    ]
    image = torch.from_numpy(volume.image)[:, None]
    return F.interpolate(image, size=extent, mode="bilinear", antialias=True)[:, 0].clamp(*RANGE)


def scaled(image: Tensor) -> Tensor:
    """An image in arbitrary units on the common scale: 0 becomes -1000, its 99.5th percentile
    1000."""
    bright = torch.quantile(image.flatten()[:: max(1, image.numel() // 2**20)], 0.995)
    return (RANGE[0] + (RANGE[1] - RANGE[0]) * image / bright.clamp_min(1e-6)).clamp(*RANGE)


def around_tumour(
    patient: Volume, shape: Sequence[int], crop: int, blocks: int
) -> list[tuple[int, int, int]]:
    """First voxels (z, y, x) of adjacent blocks around the tumour's centre, inside the volume."""
    tumour = patient.labels["gtv"].nonzero()
    lengths = (DEPTH * blocks, crop, crop)
    corner = []
    for axis in range(3):
        centre = float(tumour[axis].mean()) * shape[axis] / patient.image.shape[axis]
        first = round(centre - lengths[axis] / 2)
        corner.append(max(0, min(first, shape[axis] - lengths[axis])))
    z, y, x = corner
    return [(z + DEPTH * i, y, x) for i in range(blocks)]


def spread(depth: int, count: int, side: int, shape: Sequence[int]) -> list[tuple[int, int, int]]:
    """First voxels of up to `count` blocks of `side`, in the middle of a volume of `depth` slices,
    evenly spread and without overlap."""
    count = min(count, depth // DEPTH)
    gap = (depth - count * DEPTH) / count
    y, x = ((length - side) // 2 for length in shape[1:])
    return [(int(gap / 2 + k * (DEPTH + gap)), y, x) for k in range(count)]


def cases(
    fine: Tensor,
    places: list[tuple[int, int, int]],
    side: int,
    subject: str,
    spacing_mm: Sequence[float],
    group: str,
    provenance: dict[str, str],
    loss: Loss,
    hounsfield: bool = True,
    name: str = "",
) -> Cases:
    """Blocks of a volume on the common scale from their first voxels on, and what is left; `name`
    tells several volumes of a subject apart."""
    high = torch.stack([fine[z : z + DEPTH, y : y + side, x : x + side] for z, y, x in places])[
        :, None
    ]
    count, name = len(places), name or subject
    return Cases(
        tensors={
            "high_resolution": high,
            "low_resolution": spoil(high, loss, f"{name}/{group}"),
        },
        case=[f"{name}/z{z:03d}y{y:03d}x{x:03d}" for z, y, x in places],
        subject=[subject] * count,
        group=[group] * count,
        spacing_mm=torch.tensor([tuple(spacing_mm)]).expand(count, 3),
        provenance=provenance,
        facts=Facts(dims=3, channels=1, range=RANGE, scale=loss.scale, hounsfield=hounsfield),
    )


def spoil(high: Tensor, loss: Loss, part: str) -> Tensor:
    """Low resolution on the common scale; each part has noise of its own."""
    word = f"super_resolution/{(loss.seed, part)}"
    generator = torch.Generator().manual_seed(zlib.crc32(word.encode()))
    noise = THICK_NOISE if loss.kind == "thick" else 0.0
    return degrade(high, loss.kind, loss.scale, noise, generator)


def with_mixed_factors(train: Cases, loss: Loss) -> Cases:
    """The same with `interpolated` (N, K, D, H, W): the blocks spoilt by each of MIXED_FACTORS and
    enlarged again by cubic splines."""
    high, enlarged = train["high_resolution"], []
    for factor in MIXED_FACTORS:
        other = replace(loss, scale=factors(loss.kind, factor))
        enlarged.append(enlarge(spoil(high, other, f"mixed {factor}"), other.scale))
    return replace(train, tensors=train.tensors | {"interpolated": torch.cat(enlarged, dim=1)})
