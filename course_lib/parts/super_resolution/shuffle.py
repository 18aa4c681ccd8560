"""Channel to space: how a network that works on the coarse grid answers on the fine one."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


def shuffle(features: Tensor, factors: Sequence[int]) -> Tensor:
    """(N, r·C, *spatial) → (N, C, *(factor · side)), r the product of the factors.

    Channel c·r + k fills place k of every voxel's block of fine voxels, the last axis fastest. In
    2D with equal factors it is `torch.nn.PixelShuffle`. Shi et al. 2016, doi 10.1109/CVPR.2016.207.

    >>> shuffle(torch.arange(4.0).view(1, 4, 1, 1), (2, 2)).tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    count, channels, *sides = features.shape
    d = len(sides)
    blocks = features.reshape(count, channels // prod(factors), *factors, *sides)
    pairs = [axis for i in range(d) for axis in (2 + d + i, 2 + i)]
    fine = [side * factor for side, factor in zip(sides, factors, strict=True)]
    return blocks.permute(0, 1, *pairs).reshape(count, -1, *fine)


def linear_start(factors: Sequence[int]) -> Tensor:
    """Kernels (r, *(3, …)) with which convolution and shuffle are linear interpolation: a start
    from which some hundred steps of training suffice.

    >>> linear_start((2,)).tolist()
    [[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]]
    """
    kernels = torch.ones(1)
    for axis, factor in enumerate(factors):
        offset = (torch.arange(factor) + 0.5) / factor - 0.5
        line = torch.stack([(-offset).clamp_min(0), 1 - offset.abs(), offset.clamp_min(0)], dim=1)
        kernels = kernels.unsqueeze(1).unsqueeze(-1) * line.view(1, factor, *[1] * axis, 3)
        kernels = kernels.flatten(0, 1)
    return kernels
