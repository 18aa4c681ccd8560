"""Labelled images as a user would bring them, and small cases whose answer is known."""

from pathlib import Path

import numpy as np
import torch

from course_lib.cases import Facts
from course_lib.data.own.kinds import Labelled
from course_lib.tasks.base import Splits
from course_lib.tasks.classification import own

WINDOW = (-1000.0, 400.0)


def labelled(
    source: Path, shape: tuple[int, ...] = (12, 12), channels: int = 1, several: bool = False
) -> Labelled:
    """Noise of three classes, each brighter than the one before."""
    generator, classes = np.random.default_rng(0), 3
    counts = {"train": 12, "validation": 6, "test": 6}
    numbers = {part: np.arange(count) % classes for part, count in counts.items()}
    return Labelled(
        source=source,
        provenance="MedMNIST toymnist, unverified file",
        licence="none",
        images={
            part: np.stack(
                [
                    0.2 * k + 0.6 * generator.random((channels, *shape), dtype=np.float32)
                    for k in label
                ]
            ).astype(np.float32)
            for part, label in numbers.items()
        },
        labels={
            part: np.eye(classes, dtype=np.int64)[label] if several else label
            for part, label in numbers.items()
        },
        classes=("a", "b", "c"),
        subjects={k: [f"{k}-{i}" for i in range(n)] for k, n in counts.items()},
    )


def own_splits() -> Splits:
    """What the question makes of them: three classes, three channels."""
    return own.own_cases(labelled(Path("mine"), (28, 28), channels=3), "smoke", 0)


def facts(**others: object) -> Facts:
    """Facts of nodules in lungs; others are put in their place."""
    common = {"dims": 2, "channels": 1, "classes": 2, "window": WINDOW, "pixel_mm": 0.5}
    return Facts(**common) | others


def disc(radius, size=64, value=100.0, background=-800.0):
    """A disc in the middle: image and mask (1, 1, size, size)."""
    place = torch.arange(size) - size / 2
    mask = (place[:, None] ** 2 + place**2 < radius**2)[None, None]
    return torch.where(mask, value, background), mask.to(torch.uint8)


def weights(module: torch.nn.Module) -> torch.Tensor:
    """All weights and statistics of a module in one row."""
    return torch.cat([value.flatten() for value in module.state_dict().values()])
