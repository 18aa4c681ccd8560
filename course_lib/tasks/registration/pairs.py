"""What all questions of pairs share: how many, how to draw, score and show them (survey 3.1).

Which point of one picture is which point of the other? A method answers `forward` and `backward`
(N, d, *spatial) in voxels: moving(x + u(x)) should be fixed(x), and the other way round with the
images' parts exchanged. Both are asked for because there and back again should end where it began.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import registration as metrics
from course_lib.metrics import segmentation
from course_lib.physics import fields
from course_lib.tasks.base import Field, Metric, Panel, Plan


@dataclass(frozen=True)
class Size:
    """Pixels along a side in 2D and 3D, and the numbers of pairs (training, validation, test)."""

    pixels: int
    pixels_3d: int
    counts: tuple[int, int, int]
    counts_3d: tuple[int, int, int]


SIZES = {
    "smoke": Size(32, 16, (8, 2, 4), (2, 2, 2)),
    "class": Size(64, 32, (512, 8, 24), (24, 2, 6)),
    "full": Size(128, 64, (4000, 40, 200), (400, 8, 40)),
}
PLANS = {
    "smoke": Plan(steps=4, batch=2, evaluations=1),
    "class": Plan(steps=700, batch=8, seconds=60),
    "long": Plan(steps=10500, batch=8, evaluations=12, seconds=900),
    "full": Plan(steps=40_000, batch=8, evaluations=40),
}


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random training cases, each with its `number` among them."""
    index = random_index(train, count, generator)
    return train.batch(index) | {"number": index}


def score(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Likeness of the warped image, folds, the way there and back, and overlap of structures.

    There and back is measured inside what is labelled; everywhere, where nothing is.
    """
    field = prediction["forward"]
    inside = batch["fixed_label"] > 0 if facts.structures else None
    back = metrics.inverse_consistency_mm(field, prediction["backward"], facts.spacing_mm, inside)
    return {
        "dice": _dice(field, batch, facts.structures),
        "dissimilarity": 1 - _correlation(fields.warp(batch["moving"], field), batch["fixed"]),
        "folding_percent": metrics.folding_percent(field),
        "inverse_consistency_mm": back,
    }


def _dice(field: Tensor, batch: Batch, structures: tuple[int, ...]) -> Tensor:
    """Mean Dice over the structures that the fixed image or the warped one shows; nan where there
    are none."""
    if not structures:
        return torch.full((len(field),), torch.nan, device=field.device)
    warped = fields.warp(batch["moving_label"].float(), field, mode="nearest")
    ours, theirs = (
        segmentation.one_hot(image[:, 0].round().long(), structures)
        for image in (warped, batch["fixed_label"])
    )
    return segmentation.mean_present(segmentation.dice(ours, theirs))


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    one, other = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (one, other))
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-12)


def pictures(prediction: Any, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """Fixed and moving, the warped image, and what is still wrong. In 3D the middle slice."""
    warped = fields.warp(batch["moving"], prediction["forward"])
    given, output, truth = (
        image[:, 0] if facts.dims == 2 else image[:, 0, image.shape[2] // 2]
        for image in (batch["moving"], warped, batch["fixed"])
    )
    return panels(given, output, truth, 1.2, "a.u.")


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The true field, or where nobody knows it, none; and none back."""
    still = batch["fixed"].new_zeros(len(batch["fixed"]), facts.dims, *batch["fixed"].shape[2:])
    return {"forward": batch.get("displacement", still), "backward": still}


def panels(
    given: Tensor, output: Tensor, truth: Tensor, brightest: float, unit: str
) -> dict[str, Panel]:
    """Four pictures (N, H, W): input, output, truth, and output minus truth."""
    window, error = (0.0, brightest), (-brightest / 3, brightest / 3)
    return {
        "input": Panel(given, "grey", window, unit, shared=True),
        "output": Panel(output, "grey", window, unit, shared=False),
        "truth": Panel(truth, "grey", window, unit, shared=True),
        "error": Panel(output - truth, "signed", error, unit, shared=False),
    }


FIELDS = {
    "fixed": Field("N 1 *space", "a.u.", "the image whose grid the field lives on"),
    "moving": Field("N 1 *space", "a.u.", "the image that is warped onto it"),
    "fixed_label": Field(
        "N 1 *space", "class", "structures of the fixed image", dtype="uint8", answer=True
    ),
    "moving_label": Field(
        "N 1 *space", "class", "structures of the moving image", dtype="uint8", answer=True
    ),
    "number": Field("N", "count", "a pair's place in the training cases", ("batch",), "int64"),
}
FACTS = {
    "dims": "2: slices or pictures, 3: volumes",
    "channels": "1",
    "spacing_mm": "sides of a pixel or voxel in mm, one per axis",
    "structures": "the labels whose overlap is measured; none where nothing is labelled",
}
METRICS = {
    "dice": Metric("", "higher", "Overlap of the structures, mean over those in the picture."),
    "dissimilarity": Metric(
        "", "lower", "1 - correlation of the warped and the fixed image. Low does not mean right."
    ),
    "folding_percent": Metric(
        "%", "lower", "Share of voxels where the field turns tissue inside out."
    ),
    "inverse_consistency_mm": Metric(
        "mm", "lower", "Forward, then backward: how far from where it began."
    ),
}
