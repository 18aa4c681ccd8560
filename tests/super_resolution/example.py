"""Volumes as a user would bring them, and small made-up batches."""

from pathlib import Path

import numpy as np
import torch

from course_lib.cases import Batch, Facts
from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.parts.super_resolution.planes import Scale
from course_lib.physics import degradation
from course_lib.physics.resolution import enlarge
from course_lib.tasks.base import Splits
from course_lib.tasks.super_resolution import own

IN_PLANE, THROUGH = (1, 3, 3), (3, 1, 1)


def volumes(count: int = 4, unit: str = "a.u.") -> Scans:
    """Bricks of random brightness, in no unit, 2 mm a pixel, not all of one size."""
    draw, found = np.random.default_rng(0), []
    for k in range(count):
        image = np.zeros((14, 30 + k, 32), np.float32)
        bricks = np.kron(draw.uniform(0, 400, (7, 6, 5)), np.ones((2, 4, 5)))
        image[:, 3:27, 3:28] = bricks
        found.append(Volume(image, (3.0, 2.0, 2.0), f"p{k}", unit, (0.0, 0.0, 0.0)))
    return Scans(Path("mine"), "measured", "mine", tuple(found))


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(volumes(), "smoke", 0)


def seeded(seed: int = 0) -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def facts(scale: Scale = IN_PLANE) -> Facts:
    """Those of a data set that lost detail by these factors."""
    return Facts(dims=3, channels=1, scale=scale)


def batch_of(scale: Scale, count: int = 1, side: int = 12, seed: int = 0) -> Batch:
    """Noise in HU, and what is left of it."""
    high = torch.randn(count, 1, 12, side, side, generator=seeded(seed)) * 300 - 400
    low = degradation.degrade(high, "blur", scale)
    return {
        "high_resolution": high,
        "low_resolution": low,
        "interpolated": enlarge(low, scale),
    }
