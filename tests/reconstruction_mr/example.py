"""MR as a user would bring it."""

from pathlib import Path

import numpy as np

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.reconstruction_mr import own


def scans(count: int = 4, unit: str = "a.u.") -> Scans:
    """Bright boxes in air, 9 slices of 50 x 40 voxels, 5 mm each way: wider than 224 mm."""
    draw, volumes = np.random.default_rng(0), []
    for k in range(count):
        image = draw.uniform(0, 20, (9, 50, 40)).astype(np.float32)
        image[:, 6:-6, 5:-5] += draw.uniform(200, 900, (9, 38, 30)).astype(np.float32)
        volumes.append(Volume(image, (3.0, 5.0, 5.0), f"p{k}", unit, (0.0, 0.0, 0.0)))
    return Scans(Path("mine"), "measured", "mine", tuple(volumes))


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(scans(), "smoke", 0)
