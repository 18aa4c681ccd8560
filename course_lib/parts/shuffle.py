"""Channel to space: how a network that works on the coarse grid answers on the fine one."""

from collections.abc import Sequence
from math import prod

from torch import Tensor


def shuffle(features: Tensor, factors: Sequence[int]) -> Tensor:
    """(N, r·C, *spatial) → (N, C, *(factor · side)), r the product of the factors.

    Channel c·r + k fills place k of every voxel's block of fine voxels, the last axis fastest. In
    2D with equal factors it is `torch.nn.PixelShuffle`. Shi et al. 2016, doi 10.1109/CVPR.2016.207.

    >>> import torch
    >>> shuffle(torch.arange(4.0).view(1, 4, 1, 1), (2, 2)).tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    count, channels, *sides = features.shape
    d = len(sides)
    blocks = features.reshape(count, channels // prod(factors), *factors, *sides)
    pairs = [axis for i in range(d) for axis in (2 + d + i, 2 + i)]
    fine = [side * factor for side, factor in zip(sides, factors, strict=True)]
    return blocks.permute(0, 1, *pairs).reshape(count, -1, *fine)
