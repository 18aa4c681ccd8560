"""The frontier: does the map show a shortcut (survey section 5)?

In training, 95 of 100 images with a nodule also show a little square marker, and 5 of 100 without.
Tested where the marker tells nothing, and where it tells what it told in training. Nodules,
patients and lungs: see `reading`; maps of random weights, `randomised`: see `explanations`.
"""

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join
from course_lib.metrics import classification, saliency
from course_lib.tasks.base import Field, Metric, Question, Splits
from course_lib.tasks.frontier import reading

NO_HINT, HINT = "marker tells nothing", "marker as in training"
HINT_RATE = 0.95
MARKER_HU, MARKER_PIXELS, MARKER_MARGIN = 300.0, 5, 2


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Marks the pieces. The seed decides the training markers; nodules and the test are fixed."""
    train, validation, test = reading.pieces(profile)
    tests = [
        marked(test, 0.5, 0, NO_HINT, condition=0),
        marked(test, HINT_RATE, 0, HINT, condition=1),
    ]
    return Splits(
        marked(train, HINT_RATE, seed, "training"),
        marked(validation, HINT_RATE, 0, "validation"),
        reading.nodules_first(join(tests)),
    )


def marked(cases: Cases, rate: float, seed: int, group: str, condition: int = 0) -> Cases:
    """A bright square near a corner of `rate` of the images with a nodule, and of 1 − rate of
    those without. A rate of 0.5 tells nothing. Ranks are counted within a condition."""
    generator = reading.generator(f"marker/{group}/{rate}", seed)
    chance = torch.rand(len(cases), generator=generator)
    shown = torch.where(cases["label"] == 1, chance < rate, chance < 1 - rate)
    far = cases["image"].shape[-1] - 2 * MARKER_MARGIN - MARKER_PIXELS
    corner = MARKER_MARGIN + far * torch.randint(2, (len(cases), 2), generator=generator)
    marker = torch.zeros_like(cases["mask"])
    for k in torch.nonzero(shown).flatten().tolist():
        y, x = corner[k].tolist()
        marker[k, :, y : y + MARKER_PIXELS, x : x + MARKER_PIXELS] = True
    tensors = {
        "image": cases["image"].masked_fill(marker, MARKER_HU),
        "marker": marker,
        "condition": torch.full((len(cases),), condition),
    }
    return replace(
        reading.extended(cases, **tensors),
        case=[f"{case}/{group.replace(' ', '-')}" for case in cases.case],
        group=[group] * len(cases),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Cases as `reading.sample` draws them; a marker stays where it is, as markers do."""
    batch = reading.sample(train, profile, count, generator)
    return batch | {"image": batch["image"].masked_fill(batch["marker"], MARKER_HU)}


def score(prediction: reading.Prediction, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score; ranks are among cases of one condition."""
    answers = prediction["probability"], batch["label"]
    return {
        "pointing": reading.pointing(prediction, batch),
        "marker": on_markers(prediction["map"], batch["marker"]),
        "mass": reading.mass(prediction, batch),
        "sanity": reading.sanity(prediction),
        "auc": reading.among(batch["condition"], classification.auc_per_case, *answers),
    }


def on_markers(heat: Tensor, marker: Tensor) -> Tensor:
    """The share of each map (N, 1, H, W) that lies on the marker or within two pixels of it; nan
    where there is none."""
    share = saliency.mass_inside(heat, saliency.grown(marker, 2))
    return share.cpu().masked_fill(~marker.flatten(1).any(1).cpu(), torch.nan)


QUESTION = Question(
    id="shortcuts",
    title="Lung nodules beside a marker that goes with them in training only",
    fields=reading.FIELDS
    | {
        "marker": Field(
            "N 1 H W", "yes or no", "the marker; empty without one", dtype="bool", answer=True
        ),
        "condition": Field(
            "N",
            "number",
            "in the test, 0 where the marker tells nothing, 1 where it is as in training",
            dtype="int64",
        ),
    },
    facts=reading.FACTS,
    headline="pointing",
    metrics={
        "pointing": reading.METRICS["pointing"],
        "marker": Metric("", "lower", "Share of the map's sum that lies on the marker."),
        "mass": reading.METRICS["mass"],
        "sanity": reading.METRICS["sanity"],
        "auc": reading.METRICS["auc"],
    },
    sources={"explanations/shortcut": reading.SOURCES},
    plans=reading.PLANS,
    make=make,
    sample=sample,
    score=score,
    pictures=reading.pictures,
    truth=reading.truth,
    evidence=reading.evidence,
)
