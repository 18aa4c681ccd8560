"""Is there a nodule? Each piece of lung twice: with a nodule put in, and as it was measured.

Because both come from the same place, nothing but the nodule tells them apart.
"""

import zlib
from functools import lru_cache

import torch

from course_lib.cases import Cases, Facts
from course_lib.data.lesions.stored import rated_nodules
from course_lib.parts.crops import cut

SIDE, MARGIN = 64, 20  # pixels of a case, and how far the nodule may lie off its middle
WINDOW = (-1000.0, 400.0)  # HU: black and white


@lru_cache(maxsize=4)
def pairs(part: str, count: int) -> Cases:
    """`count` nodules of `train`, `validation` or `test` patients and the same lung without them.

    Returns Cases of 2 · count, with and without in turn, `subject` = the patient whose nodule it is
        image    (2 count, 1, 64, 64) HU, the nodule up to 20 pixels off the middle
        mask     (2 count, 1, 64, 64) bool; empty without a nodule
        wide, wide_mask   the same with 20 more pixels on each side, the nodule in the middle
        label    (2 count,) 1 with a nodule, else 0
    """
    made = rated_nodules(part, count, SIDE + 2 * MARGIN)
    count = len(made)
    with_nodule = made["mask"] > 0
    wide = torch.stack([made["image"], made["background"]], 1).flatten(0, 1)
    wide_mask = torch.stack([with_nodule, torch.zeros_like(with_nodule)], 1).flatten(0, 1)
    generator = torch.Generator().manual_seed(zlib.crc32(f"presence/{part}".encode()))
    corner = torch.randint(2 * MARGIN + 1, (count, 2), generator=generator).repeat_interleave(2, 0)
    return Cases(
        tensors={
            "image": cut(wide, corner, SIDE),
            "mask": cut(wide_mask, corner, SIDE),
            "wide": wide,
            "wide_mask": wide_mask,
            "label": torch.tensor([1, 0]).repeat(count),
        },
        case=[f"{name}/{word}" for name in made.case for word in ("nodule", "empty")],
        subject=[name for name in made.subject for _ in range(2)],
        group=[part] * 2 * count,
        spacing_mm=made.spacing_mm.float().repeat_interleave(2, 0),
        provenance={
            "image": "measured lung; nodule simulated from a measured shape and ratings",
            "mask": "measured shape, resampled",
            "label": "known, because the nodule was put in",
        },
        facts=Facts(dims=2, channels=1, window=WINDOW),
    )
