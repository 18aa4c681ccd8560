"""Losses that compare where images change, not how bright they are."""

import torch
from torch import Tensor


def gradient_correlation(one: Tensor, other: Tensor, absolute: bool = False) -> Tensor:
    """How well the edges of two images agree, −1 … 1 per case.

    GC = mean over the axes k of NCC(∂ₖ one, ∂ₖ other), NCC(a, b) = cov(a, b) / √(var a · var b)
    over all pixels. With `absolute`, |NCC|: contrast may be inverted as a whole.

    Arguments: images (N, 1, *spatial), any units. Returns (N,); 0 where an image is constant.
    Source: Penney et al. 1998, doi 10.1109/42.730403; as a loss of a CycleGAN, Hiasa et al. 2018,
    doi 10.1007/978-3-030-00536-8_4.
    """
    correlations = []
    for axis in range(2, one.ndim):
        a, b = (image.diff(dim=axis).flatten(1) for image in (one, other))
        a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
        # Above rounding errors of a constant image, far below any real edge.
        size = (a.square().mean(1) * b.square().mean(1)).clamp_min(1e-16).sqrt()
        correlation = (a * b).mean(1) / size
        correlations.append(correlation.abs() if absolute else correlation)
    return torch.stack(correlations).mean(0)


def gradient_consistency(one: Tensor, other: Tensor, absolute: bool = False) -> Tensor:
    """1 − GC, averaged over the cases: 0 where the edges agree, 2 where they are inverted."""
    return 1 - gradient_correlation(one, other, absolute).mean()
