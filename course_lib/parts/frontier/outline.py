"""A small network that outlines, its loss, and one probability for a whole map."""

import torch.nn.functional as F
from torch import Tensor

from course_lib.parts.u_net import UNetwork


def outline_net() -> UNetwork:
    """(N, 1, H, W) → pixel scores (N, 1, H, W)."""
    return UNetwork(1, 1, widths=(8, 16, 32, 64))


def outline_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Weighted BCE + 1 − soft Dice of the whole batch, of scores and targets (N, 1, H, W) in 0 … 1.

    Pixels of the object weigh ten times: without that a small object is not found for many steps.
    """
    found = scores.sigmoid()
    overlap = 2 * (found * target).sum() / (found.sum() + target.sum()).clamp_min(1)
    pixels = F.binary_cross_entropy_with_logits(scores, target, weight=1 + 9 * target)
    return pixels + 1 - overlap


def highest(heat: Tensor) -> Tensor:
    """The highest value of maps (N, 1, H, W) after a mean over 3x3 pixels, (N,)."""
    return F.avg_pool2d(heat, 3, 1, 1).amax((1, 2, 3))
