"""What all questions of translation share: pairs of images, how they are drawn and scored.

Networks learn a range of values that belongs to the data set, not to the image: a CT number must
keep its meaning from one patient to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import image as image_metrics
from course_lib.metrics import segmentation, texture
from course_lib.tasks.base import Field, Metric, Panel, Plan

HU_LIMITS = (-1000.0, 1500.0)
"""The range of CT that translators learn."""
BONE_HU = 300.0


@dataclass(frozen=True)
class Size:
    """Pixels along a side, and how many images each part holds."""

    pixels: int
    training: int
    validation: int
    test: int


SIZES = {
    "smoke": Size(48, 8, 2, 4),
    "class": Size(80, 240, 8, 24),
    "full": Size(192, 1500, 48, 120),
}

PLANS = {
    "smoke": Plan(steps=4, batch=1, evaluations=2),
    "class": Plan(steps=400, batch=1, evaluations=4, seconds=60),
    "long": Plan(steps=6000, batch=1, evaluations=12, seconds=900),
    "full": Plan(steps=60_000, batch=4, evaluations=20),
}


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole training cases, and as `unpaired_target` targets drawn independently of them."""
    batch = train.batch(random_index(train, count, generator))
    return batch | {"unpaired_target": train["target"][random_index(train, count, generator)]}


def score_images(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Errors inside the head relative to the target's range, structure and edges: what can be
    compared in any unit."""
    low, high = facts.target_range
    prediction, target = prediction.clamp(low, high), batch["target"].clamp(low, high)
    error, inside = _inside(prediction, target, batch["head"])
    squared = error.square().sum(1) / inside
    span = torch.full_like(squared, high - low)
    return {
        "psnr": 10 * torch.log10(span.square() / squared),
        "ssim": image_metrics.ssim(prediction - low, target - low, span),
        "edge_distance": texture.edge_distance(prediction, target),
        "edge_sharpness": texture.edge_sharpness(prediction, target),
    }


def score_ct(
    prediction: Tensor, batch: Batch, facts: Facts, spacing_mm: Sequence[float] | Tensor
) -> dict[str, Tensor]:
    """Errors in HU inside the head, and bone with its border: what can be asked of CT."""
    low, high = facts.target_range
    prediction, target = prediction.clamp(low, high), batch["target"].clamp(low, high)
    error, inside = _inside(prediction, target, batch["head"])
    bones = [image > BONE_HU for image in (prediction, target)]
    return {
        "mae": error.abs().sum(1) / inside,
        "bone_dice": segmentation.dice(*bones)[:, 0],
        "bone_distance": segmentation.assd_mm(*bones, spacing_mm)[:, 0].to(error),
    }


def _inside(prediction: Tensor, target: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """Differences, 0 outside the head, (N, pixels); and the number of pixels inside, (N,)."""
    return ((prediction - target) * head).flatten(1), head.flatten(1).sum(1)


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return batch["target"]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """Source, output, truth, and output minus truth."""
    low, high = facts.target_range
    window, unit = ((-200.0, 1200.0), "HU") if facts.hounsfield else ((low, high), "a.u.")
    largest = 500.0 if facts.hounsfield else (high - low) / 4
    output, truth = prediction[:, 0], batch["target"][:, 0]
    return {
        "input": Panel(batch["source"][:, 0], "grey", facts.source_range, "a.u.", shared=True),
        "output": Panel(output, "grey", window, unit, shared=False),
        "truth": Panel(truth, "grey", window, unit, shared=True),
        "error": Panel(output - truth, "signed", (-largest, largest), unit, shared=False),
    }


FIELDS = {
    "source": Field("N 1 H W", "a.u. or HU", "the image to start from: the input"),
    "target": Field(
        "N 1 H W", "a.u. or HU", "what lies beside it, in tests the truth", answer=True
    ),
    "unpaired_target": Field(
        "N 1 H W", "a.u. or HU", "a target drawn independently of the source", where=("batch",)
    ),
    "head": Field(
        "N 1 H W", "", "true inside the head, where errors count", dtype="bool", answer=True
    ),
}

FACTS = {
    "dims": "2: slices",
    "channels": "1",
    "source_range": "lowest and highest value of source images, in their unit",
    "target_range": "the same of target images",
    "hounsfield": "whether targets are CT, in HU",
}

METRICS = {
    "psnr": Metric(
        "dB", "higher", "Peak signal-to-noise ratio inside the head; peak: the target's range."
    ),
    "mae": Metric("HU", "lower", "Mean absolute error inside the head."),
    "ssim": Metric("", "higher", "Structural similarity of the whole image."),
    "bone_dice": Metric("", "higher", "Overlap of bone, all above 300 HU."),
    "bone_distance": Metric(
        "mm", "lower", "Mean distance of the bone's surfaces; the diagonal where none is drawn."
    ),
    "edge_distance": Metric(
        "", "lower", "Error of the gradients at the truth's edges; 1 means that they are gone."
    ),
    "edge_sharpness": Metric(
        "",
        "higher",
        "Gradients at the truth's edges, relative to the truth's; below 1: blurred or moved.",
    ),
}

IN_ANY_UNIT = ("psnr", "ssim", "edge_distance", "edge_sharpness")
"""The metrics that need no HU."""
