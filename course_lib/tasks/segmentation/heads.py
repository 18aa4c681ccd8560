"""Heads drawn from real label maps: T1 pictures of anatomy that is exactly known."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.cases import Cases
from course_lib.tasks.base import Splits
from course_lib.tasks.segmentation import stacks

STRUCTURES = {
    "white matter": ("white_matter", "cerebellar_white", "brainstem"),
    "grey matter": ("grey_matter", "cerebellar_grey"),
    "fluid": ("csf", "ventricle"),
    "deep nuclei": ("thalamus", "caudate", "putamen", "pallidum", "accumbens"),
    "hippocampus": ("hippocampus", "amygdala"),
}
"""Structure → its tissues."""
TRAIN_DONORS, VALIDATION_DONORS, TEST_DONORS = slice(0, 3), slice(3, 4), slice(4, 6)
BRAIN_MM, SLAB = 160.0, 0.5


def drawn(pixels: int, counts: tuple[int, int, int], seed: int, gaps: bool) -> Splits:
    """Heads of six donors' anatomy; three donors train, one validates, two test.

    Arguments:
        pixels: along a side of a head. counts: heads that train, validate and test.
        seed: decides the heads. gaps: every second slice only.
    """
    from course_lib.data.anatomy import population, subjects

    donors, pixel = subjects("brain", 3), BRAIN_MM / pixels

    def part(word: str, own: Sequence[str], count: int, group: str) -> Cases:
        cases = population(
            count,
            dims=3,
            size=pixels,
            contrasts=("t1",),
            seed=zlib.crc32(f"segmentation/{word}/{seed}".encode()) % 2**20,
            subjects=own,
            spacing_mm=pixel,
        )
        # The middle slab, from the temporal lobes to above the ventricles; every second slice.
        first = round(pixels * (1 - SLAB) / 2)
        slab = slice(first, first + round(pixels * SLAB), 2 if gaps else 1)
        image = cases["t1"][:, :, slab].contiguous()
        return stacks.labelled(
            image,
            _numbers()[cases["label"][:, :, slab].long()],
            stacks.mr_window(image),
            tuple(STRUCTURES),
            (pixel * (2 if gaps else 1), pixel, pixel),
            case=cases.case,
            subject=cases.subject,
            group=group,
            provenance={
                "image": "simulated from measured label maps",
                "label": cases.provenance["label"],
            },
        )

    train, validation, test = counts
    return Splits(
        train=part("training", donors[TRAIN_DONORS], train, "training"),
        validation=part("validation", donors[VALIDATION_DONORS], validation, "validation"),
        test=part("test", donors[TEST_DONORS], test, stacks.OTHERS),
    )


def _numbers() -> Tensor:
    """Tissue number → label."""
    from course_lib.data.anatomy import labels

    tissues = labels("brain")
    table = torch.zeros(len(tissues), dtype=torch.uint8)
    for label, names in enumerate(STRUCTURES.values(), 1):
        table[[tissues[name] for name in names]] = label
    return table
