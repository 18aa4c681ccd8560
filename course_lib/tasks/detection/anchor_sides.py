"""Anchors for boxes of any size and shape: sides and ratios that training boxes ask for.

A detector can only learn a box that some anchor overlaps well (IoU of 0.5 or more). So sides run
from the smallest to the largest usual box, a third of an octave apart, each on the coarsest map
whose cells are fine enough to hit it; and where boxes are not roundish, ratios are added.
"""

import math
from dataclasses import dataclass

from torch import Tensor

STRIDES = (4, 8, 16)
CELLS = 3.0  # of a map that an anchor's side spans at least, where a finer map exists
OCTAVE, HALF_OCTAVE = 2 ** (1 / 3), 2**0.5
MOST, MOST_PROPOSED = 12, 8
RATIOS = (((1.0,), 0.5), ((0.5, 1.0, 2.0), 1.5), ((0.25, 0.5, 1.0, 2.0, 4.0), math.inf))
"""Ratios of height to width, and up to how many octaves from a square they are enough."""


@dataclass(frozen=True)
class Anchors:
    """What detectors read of it as facts.

    Arguments:
        sides: pixels, of each map, the finest first. proposed: all on the finest map, for a first
            stage that only says where to look.
        ratios: of height to width.
    """

    sides: tuple[tuple[float, ...], ...]
    proposed: tuple[float, ...]
    ratios: tuple[float, ...]


def fitting(boxes: Tensor, labels: Tensor) -> Anchors:
    """The anchors for boxes (K, 4) in pixels of the grid; a rare class (K,) counts as much as
    another."""
    extent = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0.5).double()
    side = extent.prod(1).sqrt()
    each = [side[labels == label] for label in labels.unique()]
    low = min(float(sides.quantile(0.02)) for sides in each)
    high = max(float(sides.quantile(0.98)) for sides in each)
    levels: list[list[float]] = [[] for _ in STRIDES]
    for length in _series(low, high, OCTAVE, MOST):
        fine = [k for k, stride in enumerate(STRIDES) if length >= CELLS * stride]
        levels[max(fine, default=0)].append(length)
    for level, stride in zip(levels, STRIDES, strict=True):
        if not level:  # a map without anchors would learn nothing
            level.append(round(min(max(CELLS * stride, low), high), 2))
    far = float((extent[:, 0] / extent[:, 1]).log2().abs().quantile(0.9))
    ratios = next(ratios for ratios, most in RATIOS if far <= most)
    return Anchors(
        tuple(map(tuple, levels)), tuple(_series(low, high, HALF_OCTAVE, MOST_PROPOSED)), ratios
    )


def _series(low: float, high: float, step: float, most: int) -> list[float]:
    """Numbers from low to high, each `step` times the one before, or more where they would be
    many."""
    count = max(1, min(most, math.ceil(math.log(high / low) / math.log(step) - 1e-6) + 1))
    if count == 1:
        return [round((low * high) ** 0.5, 2)]
    return [round(low * (high / low) ** (k / (count - 1)), 2) for k in range(count)]
