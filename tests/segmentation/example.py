"""Volumes as a user would bring them."""

from pathlib import Path

import numpy as np

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.segmentation import own


def scans(count: int = 5, labels: bool = True, unit: str = "a.u.") -> Scans:
    """Volumes of different sides and spacings with a large structure 7 and a small one 3."""
    volumes = []
    for k in range(count):
        shape = (12 + k, 20, 24 + 2 * k)
        label = np.zeros(shape, np.int16)
        label[3:9, 4:14, 4:14], label[4:7, 15:18, 15:18] = 7, 3
        image = label.astype(np.float32) + 0.1
        given = {"label": label} if labels else {}
        volumes.append(Volume(image, (3.0, 1.0, 1.0), f"p{k}", unit, (0.0, 0.0, 0.0), given))
    return Scans(Path("mine"), "measured", "mine", tuple(volumes), {3: "tail", 7: "head"})


def own_splits() -> Splits:
    """What the question makes of them: two structures in voxels of 3 x 1 x 1 mm."""
    return own.own_cases(scans(), "smoke", 0)
