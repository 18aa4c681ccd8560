"""Volumes as a user would bring them, and small cases whose answer is known."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
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


def facts(classes: int = 6) -> Facts:
    """Facts of stacks with so many labels."""
    names = tuple(f"structure {k}" for k in range(1, classes))
    return Facts(dims=3, channels=1, classes=classes, structures=names, spacing_mm=(1.0, 1.0, 1.0))


def noise(*shape: int, seed: int = 0) -> Tensor:
    """White noise, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def disc() -> Batch:
    """Slices with a disc of changing size."""
    line = torch.arange(64) - 31.5
    radius = torch.tensor([8.0, 12.0, 16.0, 20.0])
    label = (line[:, None] ** 2 + line**2)[None] < radius[:, None, None] ** 2
    return {
        "image": label[None, None] + 0.1 * noise(1, 1, 4, 64, 64),
        "label": label[None, None].to(torch.uint8),
        "window": torch.tensor([[0.0, 1.0]]),
    }


def as_cases(batch: Batch) -> Cases:
    """A batch of one case with two labels as training cases."""
    return Cases(batch, ["a"], ["a"], ["training"], torch.ones(1, 3), facts=facts(2))
