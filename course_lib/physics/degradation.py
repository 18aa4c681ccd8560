"""How detail is lost: fewer, larger voxels, made in the four ways that the field simulates.

All functions take volumes (N, C, D, H, W) and `scale`, whole factors along (z, y, x), and return
(N, C, D/sz, H/sy, W/sx) in the same unit. Low-resolution voxel j stands for the s voxels from s·j
on, so its centre lies at s·j + (s - 1)/2: no kind shifts the image, which a network would
otherwise learn to undo.
"""

from functools import lru_cache
from math import log, pi, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError

Scale = tuple[int, int, int]
FWHM_TO_SIGMA = 1 / sqrt(8 * log(2))


def degrade(
    volume: Tensor,
    kind: str,
    scale: Scale,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Low resolution of the named kind (`KINDS`), plus white Gaussian noise of standard deviation
    `noise` in the volume's unit.

    Raises:
        CourseError: an unknown kind, or a side that its factor does not divide.
    """
    if kind not in KINDS:
        raise CourseError(f"There is no degradation {kind!r}; there are: {', '.join(KINDS)}.")
    if any(side % factor for side, factor in zip(volume.shape[2:], scale, strict=True)):
        raise CourseError(
            f"Sides {tuple(volume.shape[2:])} are not multiples of {scale}. Crop the volume first."
        )
    low = volume
    for axis, factor in zip((2, 3, 4), scale, strict=True):
        low = KINDS[kind](low, axis, factor) if factor > 1 else low
    if noise:
        low = low + noise * torch.randn(low.shape, generator=generator).to(low)
    return low


def bicubic(volume: Tensor, axis: int, factor: int) -> Tensor:
    """Cubic convolution with its kernel stretched by the factor: what image editors do."""
    line = volume.movedim(axis, -1)
    size = (1, line.shape[-1] // factor)
    rows = line.reshape(-1, 1, 1, line.shape[-1])
    low = F.interpolate(rows, size=size, mode="bicubic", antialias=True)
    return low.view(*line.shape[:-1], -1).movedim(-1, axis)


def blur(volume: Tensor, axis: int, factor: int, fwhm: float = 1.0) -> Tensor:
    """Gaussian blur, then every `factor`-th sample: a detector element, or a slice profile.

    y_j = Σ_i w_ij x_i,  w_ij ∝ exp(-(i - c_j)² / 2σ²),  c_j = s·j + (s - 1)/2,  σ = FWHM / 2.355.
    `fwhm`: full width at half maximum in low-resolution voxels; 1 is a slice of that thickness.
    """
    weights = _gaussian(volume.shape[axis], factor, fwhm).to(volume)
    return (volume.movedim(axis, -1) @ weights.T).movedim(-1, axis)


def kspace(volume: Tensor, axis: int, factor: int) -> Tensor:
    """Keeps the lowest 1/factor of spatial frequencies, as an MR scanner in a hurry would; sharp
    edges then ring (Gibbs). A phase ramp (shift theorem) keeps voxel centres where they belong."""
    length = volume.shape[axis]
    kept = length // factor
    spectrum = torch.fft.fft(volume.movedim(axis, -1))
    frequency = torch.fft.fftfreq(kept, 1 / kept, device=volume.device)
    centre = (factor - 1) / 2
    ramp = torch.exp(2j * pi * frequency * centre / length)
    low = torch.fft.ifft(spectrum[..., frequency.long() % length] * ramp).real / factor
    return low.movedim(-1, axis)


KINDS = {"bicubic": bicubic, "blur": blur, "kspace": kspace}


@lru_cache(maxsize=32)
def _gaussian(length: int, factor: int, fwhm: float) -> Tensor:
    """(length / factor, length): a row per low-resolution voxel, each of sum 1."""
    centre = factor * torch.arange(length // factor) + (factor - 1) / 2
    distance = torch.arange(length) - centre[:, None]
    return torch.softmax(-(distance**2) / (2 * (fwhm * factor * FWHM_TO_SIGMA) ** 2), dim=1)
