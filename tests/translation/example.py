"""Pairs of volumes as a user would bring them."""

from pathlib import Path

import numpy as np

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.translation import own


def scans(count: int = 4, target: str | None = "a.u.") -> Scans:
    """Random volumes of 10 slices, 40 x 30 voxels of 1 mm, each further one half a millimetre
    coarser; targets are the negative, or its values as HU, or there are none."""
    draw, volumes = np.random.default_rng(0), []
    for k in range(count):
        image = draw.random((10, 40, 30)).astype(np.float32)
        targets = {"a.u.": 2 - image, "HU": 2000 * (1 - image) - 600}
        labels = {"target": targets[target]} if target else {}
        spacing = (2.0, 1 + k / 2, 1 + k / 2)
        about = ("abcdefgh"[k], "a.u.", (0.0, 0.0, 0.0), labels)
        volumes.append(Volume(image, spacing, *about, target_unit=target or "a.u."))
    return Scans(Path("mine"), "measured", "mine", tuple(volumes))


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(scans(), "smoke", 0)
