"""The ways in which super-resolution data sets lose detail, under one roof.

`scale` holds whole factors along (z, y, x). Low-resolution voxel j covers the s voxels from s·j on,
so its centre lies at s·j + (s - 1)/2, whatever the kind: no kind shifts the image, or networks
would look good for shifting it back. The operators are those of `physics.resolution`.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.physics import resolution

Scale = tuple[int, int, int]


@lru_cache(maxsize=64)
def kspace(length: int, factor: int) -> np.ndarray:
    """The matrix (length / factor, length) that keeps the lowest 1/factor of an axis' spatial
    frequencies, as an MR scanner in a hurry would: sharp edges ring (Gibbs).

    y_j = (1 / length) Σ_k X_k exp(2πi k c_j / length),  |k| < length / 2s,  c_j = s·j + (s - 1)/2

    A discrete Fourier transform alone would put voxel j at s·j; by the shift theorem, taking the
    waves at c_j puts it where it belongs.
    """
    small = length // factor
    centres = factor * np.arange(small) + (factor - 1) / 2
    distance = centres[:, None] - np.arange(length)
    waves = np.arange(1, (small + 1) // 2)[:, None, None]
    return (1 + 2 * np.cos(2 * np.pi * waves * distance / length).sum(0)) / length


KINDS = {
    "bicubic": resolution.bicubic,
    "blur": lambda length, factor: resolution.gaussian(length, factor, float(factor)),
    "kspace": kspace,
    "thick": lambda length, factor: resolution.boxcar(length, factor, float(factor)),
}


def degrade(
    volume: Tensor,
    kind: str,
    scale: Scale,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(N, C, D, H, W) → (N, C, D/sz, H/sy, W/sx), in the same unit.

    Arguments:
        kind: bicubic (cubic convolution), blur (Gaussian, as wide as a low-resolution voxel, and
            decimation), kspace (central frequencies only), thick (mean over a thick slice).
        noise: standard deviation of white Gaussian noise added at low resolution.

    Raises CourseError for an unknown kind, or a side that its factor does not divide.
    """
    if kind not in KINDS:
        raise CourseError(f"There is no degradation {kind!r}; there are: {', '.join(KINDS)}.")
    if any(side % factor for side, factor in zip(volume.shape[2:], scale, strict=True)):
        raise CourseError(
            f"Sides {tuple(volume.shape[2:])} are not multiples of {scale}. Crop the volume first."
        )
    axes = [(axis, factor) for axis, factor in enumerate(scale, start=2) if factor > 1]
    low = resolution.apply(volume, {a: KINDS[kind](volume.shape[a], f) for a, f in axes})
    if noise:
        low = low + noise * torch.randn(low.shape, generator=generator).to(low)
    return low
