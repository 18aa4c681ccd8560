"""What an MR scanner measures of pictures: slices of a volume, masks of k-space, noise."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data.volume import Volume
from course_lib.physics import kspace_masks as masks
from course_lib.physics import mr

SNR = 40.0  # of the picture's brightest tissue, if all of k-space were measured
FIELD_MM = 224.0
PATTERNS: dict[str, Callable] = {
    "cartesian": masks.cartesian_mask,
    "gaussian": masks.gaussian_mask,
    "poisson": masks.poisson_disc_mask,
    "radial": masks.radial_mask,
}


@dataclass(frozen=True)
class Size:
    """Pixels along a side; slices to train on, to validate, of each test subject; how many masks
    training draws from."""

    pixels: int
    training: int
    validation: int
    test: int
    masks: int


SIZES = {
    "smoke": Size(64, 6, 2, 1, 4),
    "class": Size(128, 150, 6, 6, 48),
    "full": Size(256, 1500, 24, 24, 512),
}


@dataclass(frozen=True)
class Scan:
    """How k-space is sampled: with which pattern of `PATTERNS`, how many times fewer points than
    the picture has; the profile's sizes; the seed of phase, masks and noise."""

    pattern: str
    acceleration: float
    size: Size
    seed: int

    def generator(self, word: str, further: str) -> torch.Generator:
        """Random numbers of their own for each use."""
        text = f"reconstruction_mr/{word}/{further}/{self.seed}"
        return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def volume_cases(volume: Volume, count: int, group: str, scan: Scan) -> Cases:
    """Axial slices from the middle half of a volume of magnitudes, on the common grid, with a
    simulated phase, and what a scanner measures of them."""
    depth, pixels = len(volume.image), scan.size.pixels
    rows = [int(depth * (0.3 + 0.4 * (k + 0.5) / count)) for k in range(count)]
    rows = list(dict.fromkeys(rows))
    image = torch.from_numpy(volume.image[rows])[:, None]
    sides = [n * mm for n, mm in zip(image.shape[2:], volume.spacing_mm[1:], strict=True)]
    pixel_mm = max(FIELD_MM, *sides) / pixels
    extent = [round(side / pixel_mm) for side in sides]
    image = F.interpolate(image, size=extent, mode="bilinear", antialias=True).clamp_min(0)
    top, left = ((pixels - length) // 2 for length in extent)
    image = F.pad(image, (left, pixels - extent[1] - left, top, pixels - extent[0] - top))
    image = image / torch.quantile(image, 0.995).clamp_min(1e-6)
    generator = scan.generator(volume.case, "phase")
    phase = mr.smooth_phase((pixels, pixels), len(rows), generator)
    named = [f"{volume.case}/z{z:03d}" for z in rows]
    subjects = [volume.subject] * len(rows)
    return sampled(torch.polar(image, phase), named, subjects, group, pixel_mm, scan)


def sampled(
    target: Tensor, case: list[str], subject: list[str], group: str, pixel_mm: float, scan: Scan
) -> Cases:
    """Complex pictures (N, 1, H, W) with what a scanner measures of them."""
    generator = scan.generator(f"{group}/{subject[0]}", scan.pattern)
    count, shape = len(target), (scan.size.pixels, scan.size.pixels)
    different = min(count, scan.size.masks)
    mask = PATTERNS[scan.pattern](shape, scan.acceleration, different, generator)
    mask = mask[torch.arange(count) % different]
    kspace = mr.add_noise(mr.forward(target, mask), mask, SNR, generator)
    return Cases(
        tensors={
            "kspace": kspace,
            "mask": mask,
            "zero_filled": mr.ifft2c(kspace),
            "target": target,
            "region": _head(target.abs()),
        },
        case=case,
        subject=subject,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), pixel_mm),
        provenance={
            "target": "rendered from measured label maps; volumes: measured magnitude, simulated "
            "phase",
            "kspace": "simulated",
        },
        facts=Facts(dims=2, channels=1, pattern=scan.pattern, acceleration=scan.acceleration),
    )


def varied(target: Tensor, generator: torch.Generator) -> Tensor:
    """Complex pictures (N, 1, H, W) mirrored at random, and half of them turned by up to 15
    degrees, scaled by up to 15 %, smoothed by a Gaussian of up to 1.2 pixels, and made brighter or
    darker, the bright parts less so: heads differ in size, scans in sharpness and contrast, and
    what is brightest may be fat or brain."""
    count, (height, width) = len(target), target.shape[2:]
    mirror, which, turn, scale, soft, bright, dim = torch.rand(7, count, generator=generator)
    turn, scale = torch.deg2rad(30 * turn - 15), 0.85 + 0.3 * scale
    cosine, sine, zero = scale * turn.cos(), scale * turn.sin(), torch.zeros(count)
    matrix = torch.stack(
        [torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)], 1
    )
    channels = torch.view_as_real(target[:, 0]).movedim(-1, 1)
    grid = F.affine_grid(matrix, list(channels.shape), align_corners=False).to(channels)
    moved = F.grid_sample(channels, grid, align_corners=False).movedim(1, -1).contiguous()
    rows, columns = ((torch.arange(n) - n // 2) / n for n in (height, width))
    squared = rows[:, None].square() + columns.square()
    spread = 2 * (math.pi * 1.2 * soft).square()[:, None, None, None]
    taper = torch.exp(-spread * squared).to(channels)
    moved = mr.ifft2c(taper * mr.fft2c(torch.view_as_complex(moved)[:, None]))
    bright, dim = (x.to(channels)[:, None, None, None] for x in (0.6 + bright, 1.5 * dim))
    moved = moved * bright / (1 + dim * moved.abs())
    change, mirror = ((x < 0.5).to(target.device)[:, None, None, None] for x in (which, mirror))
    target = torch.where(change, moved, target)
    return torch.where(mirror, target.flip(3), target)


def _head(magnitude: Tensor) -> Tensor:
    """The rectangle (top, left, bottom, right) around what is brighter than a tenth of the
    brightest, (N, 4): outside lies air, which is easy to get right. All of an empty picture."""
    inside = magnitude[:, 0] > 0.1 * magnitude.amax((1, 2, 3))[:, None, None]
    inside |= ~inside.flatten(1).any(1)[:, None, None]
    boxes = []
    for one in inside:
        rows, columns = one.any(1).nonzero()[:, 0], one.any(0).nonzero()[:, 0]
        boxes.append([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
    return torch.tensor(boxes)
