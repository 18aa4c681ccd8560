"""Structures of a chosen size: dark round spots in white matter, as old small strokes leave them.

Simulated, so that one thing only changes between two data sets: how small the foreground is.
"""

from dataclasses import replace

import torch

from course_lib.cases import Cases
from course_lib.tasks.base import Splits

DARKER = 0.5


def spotted(splits: Splits, radius: float, white_matter: int = 1) -> Splits:
    """The same images with one spot in every slice that has white matter; the spots are the label.

    Arguments:
        radius: of a spot, in pixels. white_matter: the label in which spots lie.
    Raises nothing; the same call gives the same spots.
    """
    return Splits(
        *(
            _spotted(part, radius, white_matter, k)
            for k, part in enumerate((splits.train, splits.validation, splits.test))
        )
    )


def share(cases: Cases) -> float:
    """The fraction of voxels that are foreground."""
    return float((cases["label"] > 0).float().mean())


def _spotted(cases: Cases, radius: float, white_matter: int, seed: int) -> Cases:
    generator = torch.Generator().manual_seed(seed)
    image, label = cases["image"].clone(), torch.zeros_like(cases["label"])
    rows, columns = (torch.arange(n).float() for n in image.shape[-2:])
    for case in range(len(cases)):
        for z in range(image.shape[2]):
            places = (cases["label"][case, 0, z] == white_matter).nonzero()
            if not len(places):
                continue
            pick = int(torch.randint(len(places), (1,), generator=generator))
            y, x = places[pick].tolist()
            spot = (rows[:, None] - y) ** 2 + (columns[None] - x) ** 2 <= radius**2
            label[case, 0, z][spot] = 1
            image[case, 0, z][spot] *= DARKER
    return replace(
        cases,
        tensors=cases.tensors | {"image": image, "label": label},
        facts=cases.facts | {"classes": 2, "structures": ("spot",)},
    )


def errors(prediction: torch.Tensor, cases: Cases) -> dict[str, float]:
    """Dice of all foreground voxels together; and misses (false negatives) and false alarms (false
    positives) in % of the voxels that should have been found."""
    ours, truth = prediction > 0, cases["label"] > 0
    both, wanted = int((ours & truth).sum()), int(truth.sum())
    missed, invented = wanted - both, int(ours.sum()) - both
    return {
        "dice": 2 * both / max(1, 2 * both + missed + invented),
        "missed": 100 * missed / max(1, wanted),
        "invented": 100 * invented / max(1, wanted),
    }
