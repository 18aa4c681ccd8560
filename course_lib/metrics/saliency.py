"""Whether a map points at what it should, and whether it depends on what was learnt.

Maps are (N, 1, H, W), never negative, of any scale; masks are bool (N, 1, H, W).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError


def pointing(heat: Tensor, mask: Tensor) -> Tensor:
    """Pointing game (`pointing`, no unit, higher is better, ideal 1), (N,).

    The share of the map's highest pixels that lie in the mask: 1 or 0 where the highest pixel is
    one, in between where several share the place. A map of zeros points nowhere: 0.
    Source: Zhang et al. 2018, doi 10.1007/s11263-017-1059-x.
    """
    _check(heat, mask)
    flat, inside = heat.flatten(1), mask.flatten(1)
    highest = flat.amax(1, keepdim=True)
    top = (flat == highest) & (highest > 0)
    return (top & inside).sum(1) / top.sum(1).clamp_min(1)


def mass_inside(heat: Tensor, mask: Tensor) -> Tensor:
    """Share of the map's sum inside the mask (`mass`, no unit, higher is better, ideal 1), (N,).

    Σ_mask m / Σ m; 0 for a map of zeros. A constant map reaches the mask's share of the image.
    """
    _check(heat, mask)
    flat = heat.flatten(1).float()
    return (flat * mask.flatten(1)).sum(1) / flat.sum(1).clamp_min(1e-12)


def rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's rank correlation of two maps over the pixels, (N,), −1 to 1.

    Equal values share their mean rank; nan where a map is constant.
    """
    if one.shape != other.shape:
        raise CourseError(
            f"Two maps of one shape, not {tuple(one.shape)} and {tuple(other.shape)}."
        )
    a, b = (torch.stack([_ranks(x) for x in maps.flatten(1).cpu()]) for maps in (one, other))
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).float()


def grown(mask: Tensor, pixels: int) -> Tensor:
    """The mask (N, 1, H, W) and all within `pixels` rows and columns of it."""
    return F.max_pool2d(mask.float(), 2 * pixels + 1, 1, pixels) > 0


def _ranks(values: Tensor) -> Tensor:
    _, group, size = values.double().unique(return_inverse=True, return_counts=True)
    return (size.cumsum(0) - (size - 1) / 2)[group]


def _check(heat: Tensor, mask: Tensor) -> None:
    if heat.shape != mask.shape or heat.ndim != 4 or mask.dtype != torch.bool:
        raise CourseError(
            f"Maps (N, 1, H, W) and bool masks of the same shape were expected, not "
            f"{tuple(heat.shape)} and {tuple(mask.shape)} of {mask.dtype}."
        )
