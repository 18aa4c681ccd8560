"""Drawn heads: the same ones as T1, T2 and CT, so that every test case has its truth.

The anatomy's label maps were measured (six donors); contrast, noise and shading are simulated, and
so are the skull and scalp that surround the cortex. One site's scanner takes all pictures, as in
one hospital. Training sets differ in what lies beside the source image:

    aligned             the same head on the same grid
    misaligned_6mm      the same head, shifted and bent by a root mean square of 6 mm
    unpaired            another head: sources and targets come from different donors
    unpaired_few        the same, with a tenth of the images

Validation and test pairs are always aligned; for unpaired training they are hidden pairs that only
the scores see.
"""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data.anatomy import population, subjects
from course_lib.physics import fields
from course_lib.physics.misalignment import misalignment
from course_lib.tasks.base import Splits
from course_lib.tasks.translation.pairs import HU_LIMITS, SIZES, Size

SITE = "A"
MR_LIMITS = (0.0, 1.6)
"""The brightest pixels of site A, in its arbitrary units; the same range for every image."""
LIMITS = {"t1": MR_LIMITS, "t2": MR_LIMITS, "ct": HU_LIMITS}
MISALIGNED_MM = (3, 6, 12)
KINDS = (
    "aligned",
    *(f"misaligned_{mm}mm" for mm in MISALIGNED_MM),
    "unpaired",
    "unpaired_few",
)
TRAINING, VALIDATION, TEST = (0, 1, 2), (3,), (4, 5)  # donors
TRAINING_SEED, VALIDATION_SEED, TEST_SEED, MOVE_SEED = 1000, 1, 2, 3

Contrasts = tuple[str, str]


def heads(pair: Contrasts, kind: str, profile: str, seed: int) -> Splits:
    """Draws heads in two contrasts, (source, target), with training pairs of one of `KINDS`. The
    seed decides the training images; validation and test cases are fixed."""
    size = SIZES[profile]
    return Splits(
        train=_training(pair, kind, size, seed),
        validation=_pairs(pair, size.pixels, size.validation, VALIDATION, VALIDATION_SEED),
        test=_pairs(pair, size.pixels, size.test, TEST, TEST_SEED),
    )


def _pairs(pair: Contrasts, pixels: int, count: int, donors: tuple[int, ...], seed: int) -> Cases:
    """Aligned pairs of some donors' heads."""
    names, (source, target) = subjects("brain"), pair
    drawn = population(
        count,
        size=pixels,
        contrasts=pair,
        seed=seed,
        site=SITE,
        subjects=[names[k] for k in donors],
    )
    return Cases(
        tensors={
            "source": drawn[source],
            "target": drawn[target],
            "head": drawn["label"] > 0,
        },
        case=drawn.case,
        subject=drawn.subject,
        group=["test"] * count,
        spacing_mm=drawn.spacing_mm,
        provenance={
            "source": f"simulated {source} of measured label maps",
            "target": f"simulated {target} of measured label maps",
            "head": "measured and modelled label maps",
        },
        facts=Facts(
            dims=2,
            channels=1,
            source_range=LIMITS[source],
            target_range=LIMITS[target],
            hounsfield=target == "ct",
            pixel_mm=float(drawn.spacing_mm[0, 0]),
        ),
    )


def _training(pair: Contrasts, kind: str, size: Size, seed: int) -> Cases:
    """The training images: `target` is what the data set's kind puts beside the source."""
    seed = TRAINING_SEED + 2 * seed
    if not kind.startswith("unpaired"):
        cases = _pairs(pair, size.pixels, size.training, TRAINING, seed)
        if kind != "aligned":
            moved = misaligned(cases, float(kind.removeprefix("misaligned_").removesuffix("mm")))
            cases.tensors["target"] = moved
        return cases
    count = max(2, size.training // 10) if kind == "unpaired_few" else size.training
    cases = _pairs(pair, size.pixels, count, TRAINING[:2], seed)
    other = _pairs(pair, size.pixels, count, TRAINING[2:], seed + 1)
    return replace(
        cases,
        tensors=cases.tensors | {"target": other["target"]},
        case=[f"{a} + {b}" for a, b in zip(cases.case, other.case, strict=True)],
        subject=[f"{a} + {b}" for a, b in zip(cases.subject, other.subject, strict=True)],
    )


def misaligned(cases: Cases, mm: float) -> Tensor:
    """The cases' targets, each moved by its own displacement of `mm`, (N, 1, H, W)."""
    target, generator = cases["target"], torch.Generator().manual_seed(MOVE_SEED)
    pixel_mm = float(cases.spacing_mm[0, 0])
    moves = misalignment(len(target), target.shape[-1], mm, pixel_mm, generator)
    return fields.warp(target, moves, "bicubic")
