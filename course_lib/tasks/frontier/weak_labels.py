"""The frontier: can nodules be outlined from image labels (survey section 5)?

`0_masks`, `5_masks`, `20_masks`: so many training nodules have an outline, all others only a yes or
a no; `all_masks` is the upper bound. Nodules, patients and lungs: see `reading`.
"""

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.tasks.base import Field, Metric, Question, Splits
from course_lib.tasks.frontier import reading

MASKS = {"0_masks": 0, "5_masks": 5, "20_masks": 20, "all_masks": 10**6}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Withholds outlines. The seed decides which are kept; nodules and the test are fixed."""
    train, validation, test = reading.pieces(profile)
    train = few_masks(train, MASKS[dataset.split("/")[1]], seed)
    facts = train.facts | {"outlined": int(train["has_mask"].sum()) // 2}
    parts = (train, validation, reading.nodules_first(test))
    return Splits(*(replace(part, facts=facts) for part in parts))


def few_masks(train: Cases, count: int, seed: int) -> Cases:
    """The outlines of `count` nodules, and of their lungs without them, are kept; of all other
    cases only the label is known, and their masks are empty."""
    known = torch.randperm(len(train) // 2, generator=reading.generator("masks", seed))[:count]
    keep = torch.zeros(len(train), dtype=torch.bool)
    keep[2 * known], keep[2 * known + 1] = True, True
    hidden = {k: train[k] & keep.view(-1, 1, 1, 1) for k in ("mask", "wide_mask")}
    return reading.extended(train, has_mask=keep, **hidden)


def score(prediction: reading.Prediction, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score."""
    return {
        "dice": reading.dice(prediction, batch),
        "false_outlines": outlined_in_vain(prediction["map"], batch["label"]),
        "pointing": reading.pointing(prediction, batch),
        "mass": reading.mass(prediction, batch),
        "auc": reading.auc(prediction, batch),
    }


def outlined_in_vain(heat: Tensor, label: Tensor) -> Tensor:
    """100 where a map (N, 1, H, W) outlines something, else 0; nan where there is a nodule."""
    outlined = 100.0 * (heat > 0.5).flatten(1).any(1).cpu()
    return outlined.masked_fill(label.cpu() == 1, torch.nan)


QUESTION = Question(
    id="weak_labels",
    title="Outlines of lung nodules from few outlines and many labels",
    fields=reading.FIELDS
    | {
        "has_mask": Field(
            "N",
            "yes or no",
            "whether the mask is known; where not, it is empty",
            where=("train", "batch"),
            dtype="bool",
        )
    },
    facts=reading.FACTS | {"outlined": "how many training nodules have an outline"},
    headline="dice",
    metrics={
        "dice": reading.METRICS["dice"],
        "false_outlines": Metric(
            "%", "lower", "Images without a nodule in which something is outlined all the same."
        ),
        "pointing": reading.METRICS["pointing"],
        "mass": reading.METRICS["mass"],
        "auc": reading.METRICS["auc"],
    },
    sources={f"weak_labels/{kind}": reading.SOURCES for kind in MASKS},
    plans=reading.PLANS,
    make=make,
    sample=reading.sample,
    score=score,
    pictures=reading.pictures,
    truth=reading.truth,
    evidence=reading.evidence,
    kinds=("weak_labels/0_masks", "weak_labels/5_masks"),
)
