"""Boxes and pictures with discs, made up: what any detector must find."""

import torch

from course_lib.cases import Facts

FACTS = Facts(dims=2, channels=1, classes=1, class_names=("disc",), window=(-1000.0, 400.0))
SERIES = Facts(dims=2, channels=1, window=(-1000.0, 400.0))


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def some_boxes(count, seed=0, extent=100.0):
    start = random(count, 2, seed=seed) * (extent - 25)
    return torch.cat([start, start + 4 + 20 * random(count, 2, seed=seed + 1)], 1)


def disc_batch(count=4, size=64):
    """Bright discs on dark, one each."""
    place = torch.arange(size) + 0.5
    centre = 16 + (size - 32) * random(count, 2)
    radius = 3 + 3 * random(count, seed=1)
    distance = (place[:, None] - centre[:, 0, None, None]) ** 2 + (
        place - centre[:, 1, None, None]
    ) ** 2
    image = -900 + 900 * (distance.sqrt() < radius[:, None, None]).float()
    box = torch.cat([centre - radius[:, None], centre + radius[:, None]], 1)
    return {
        "image": image[:, None] + 40 * torch.randn(count, 1, size, size),
        "boxes": box[:, None],
        "labels": torch.zeros(count, 1, dtype=torch.long),
        "ignore": torch.zeros(count, 1, 4),
        "part": torch.zeros(count, dtype=torch.long),
    }
