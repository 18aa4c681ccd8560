"""Interpolation to a finer grid: what super-resolution starts from, and must beat.

Low-resolution voxel j is centred over the s fine voxels from s·j on, as in `physics.degradation`.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def bicubic(planes: Tensor, factors: tuple[int, int]) -> Tensor:
    """(N, C, h, w) → (N, C, r·h, c·w) by cubic convolution (Keys 1981, doi
    10.1109/TASSP.1981.1163711)."""
    size = [side * factor for side, factor in zip(planes.shape[2:], factors, strict=True)]
    return F.interpolate(planes, size=size, mode="bicubic")


def cubic_spline(image: Tensor, scale: Sequence[int]) -> Tensor:
    """(N, C, *spatial) → the same with each side times its factor: the smoothest curve through all
    samples, which unlike cubic convolution uses every sample of a line.

    Along one axis this is a linear map, so scipy's spline makes its matrix once and torch applies
    it, on any device. Unser 1999, doi 10.1109/79.799930.
    """
    for axis, factor in enumerate(scale, start=2):
        if factor > 1:
            weights = _spline(image.shape[axis], factor).to(image)
            image = (image.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return image


@lru_cache(maxsize=64)
def _spline(length: int, factor: int) -> Tensor:
    """(factor · length, length): scipy's cubic spline of each unit vector."""
    from scipy.ndimage import map_coordinates

    places = (np.arange(factor * length) + 0.5) / factor - 0.5
    columns = [map_coordinates(unit, [places], order=3, mode="reflect") for unit in np.eye(length)]
    return torch.from_numpy(np.stack(columns, axis=1)).float()
