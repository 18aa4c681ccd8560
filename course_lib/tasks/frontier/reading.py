"""The frontier: when must a network not be believed (survey section 5)?

All data sets ask the same plain question, is there a nodule in this 45 mm of real lung, and then
one of the survey's three harder ones. A method answers with a `probability` and with a `map`.

`explanations/…`   What does the network look at? `nodules`: the map should lie on the nodule.
                   `shortcut`: in training, 95 of 100 images with a nodule also show a little square
                   marker, and 5 of 100 without. Tested where the marker tells nothing.
`scanner_shift/…`  Does it still work on other scanners? `one_scanner`: trained on scanner A alone.
                   `without_D`: trained on A, B and C. `random_split`: on all, which hides the
                   shift. The same test patients are seen by every scanner (`physics.ct_site`).
`weak_labels/…`    Can it outline nodules from image labels? `0_masks`, `5_masks`, `20_masks`: so
                   many training nodules have an outline, all others only a yes or a no;
                   `all_masks` is the upper bound.

Each nodule is there twice, with and without (`data.presence`). Lung: one measured CT;
nodules: measured outlines of other patients, filled with simulated density. Split by the patient
whose nodule it is; test nodules lie in the right lung, all others in the left of the same scan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, random_index
from course_lib.metrics import classification, saliency
from course_lib.metrics.segmentation import dice
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task
from course_lib.tasks.frontier import presence, scenes

WINDOW = (-1000.0, 400.0)
UNSEEN = "nodules of other patients"
QUESTIONS = ("scanner_shift", "explanations/nodules", "explanations/shortcut", "weak_labels")
TRAINED_ON = {"one_scanner": "A", "without_D": "ABC", "random_split": "ABCD"}
MASKS = {"0_masks": 0, "5_masks": 5, "20_masks": 20, "all_masks": 10**6}


@dataclass(frozen=True)
class Size:
    """Nodules made for training, validation and test; each also gives an image without it."""

    train: int
    validation: int
    test: int


SIZES = {"smoke": Size(12, 6, 8), "class": Size(220, 30, 90), "full": Size(600, 90, 210)}


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Takes nodules from the cache, or puts them into lungs; then scans, marks or hides. The seed
    decides the scanners' noise, the markers and which outlines are kept; the nodules are fixed."""
    size, (question, kind) = SIZES[profile], dataset.split("/")
    number = QUESTIONS.index(dataset if dataset in QUESTIONS else question)
    train, validation, test = (
        scenes.plain(part, getattr(size, part), number) for part in ("train", "validation", "test")
    )
    validation, test = scenes.one_view(validation, "validation"), scenes.one_view(test, UNSEEN)
    if question == "scanner_shift":
        return Splits(*scenes.shifted(train, validation, test, TRAINED_ON[kind], seed))
    if kind == "shortcut":
        train = scenes.marked(train, scenes.HINT_RATE, seed, "training")
        validation = scenes.marked(validation, scenes.HINT_RATE, 0, "validation")
        test = scenes.join_conditions(
            scenes.marked(test, 0.5, 0, scenes.NO_HINT),
            scenes.marked(test, scenes.HINT_RATE, 0, scenes.HINT),
        )
    if question == "weak_labels":
        train = scenes.few_masks(train, MASKS[kind], seed)
    return Splits(train, validation, scenes.nodules_first(test))


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Cases drawn at random, each cut anew from the wide image, mirrored and turned by right
    angles; a marker stays where it is, as markers do."""
    batch = train.batch(random_index(train, count, generator))
    room = train["wide"].shape[-1] - train["image"].shape[-1]
    corner = torch.randint(room + 1, (count, 2), generator=generator)
    mirror = torch.randint(2, (count,), generator=generator).tolist()
    turn = torch.randint(4, (count,), generator=generator).tolist()
    for name, wide in (("image", "wide"), ("mask", "wide_mask")):
        fresh = presence.cut(batch.pop(wide), corner)
        moved = (
            torch.rot90(one.flip(-1) if flip else one, quarter, (-2, -1))
            for one, flip, quarter in zip(fresh, mirror, turn, strict=True)
        )
        batch[name] = torch.stack(list(moved))
    batch["image"] = batch["image"].masked_fill(batch["marker"], scenes.MARKER_HU)
    return batch


def score(prediction: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Every case's share of each score, see `METRICS`; ranks are among cases of one condition."""
    probability, label, mask = prediction["probability"].cpu(), batch["label"].cpu(), batch["mask"]
    result = {name: torch.full((len(label),), torch.nan) for name in METRICS}
    for which in batch["condition"].unique().cpu():
        own = batch["condition"].cpu() == which
        result["auc"][own] = classification.auc_per_case(probability[own], label[own])
        result["ece"][own] = classification.calibration_per_case(
            probability[own], label[own], bins=10
        )
    result["brier"] = classification.brier(probability, label)
    heat, nodule = prediction["map"], label == 1

    def where_nodule(values: Tensor) -> Tensor:
        return values.cpu().float().masked_fill(~nodule, torch.nan)

    result["dice"] = where_nodule(dice(heat > 0.5, mask)[:, 0])
    outlined = 100.0 * (heat > 0.5).flatten(1).any(1).cpu()
    result["false_outlines"] = outlined.masked_fill(nodule, torch.nan)
    result["pointing"] = where_nodule(saliency.pointing(heat, mask))
    result["mass"] = where_nodule(saliency.mass_inside(heat, mask))
    shown = batch["marker"].flatten(1).any(1).cpu()
    near = saliency.grown(batch["marker"], 2)
    result["marker"] = saliency.mass_inside(heat, near).cpu().masked_fill(~shown, torch.nan)
    if "randomised" in prediction:
        result["sanity"] = saliency.rank_correlation(heat, prediction["randomised"]).cpu()
    if "deletion" in prediction:
        result["deletion"] = where_nodule(prediction["deletion"].mean(1))
        result["insertion"] = where_nodule(prediction["insertion"].mean(1))
    name = QUESTIONS[int(batch["question"][0])]
    return {metric: result[metric] for metric in ASKS[name]}


def pictures(prediction: Mapping[str, Tensor], batch: Batch) -> dict[str, Panel]:
    """The image, the map (scaled to its largest value), the nodule."""
    heat = prediction["map"][:, 0].float()
    heat = heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-12)
    return {
        "input": Panel(batch["image"][:, 0], "grey", WINDOW, "HU", shared=True),
        "output": Panel(heat, "grey", (0, 1), "of the map's maximum", shared=False),
        "truth": Panel(batch["mask"][:, 0].float(), "grey", (0, 1), "nodule", shared=True),
    }


METRICS = {
    "auc": Metric(
        "",
        "higher",
        "How often an image with a nodule gets a higher probability than one without "
        "from the same scanner. Chance is 0.5.",
    ),
    "ece": Metric("", "lower", "Expected calibration error: certainty against share of hits."),
    "brier": Metric("", "lower", "Squared error of the probabilities, 0 to 2."),
    "dice": Metric("", "higher", "Overlap of the map above 0.5 with the nodule."),
    "false_outlines": Metric(
        "%", "lower", "Images without a nodule in which something is outlined all the same."
    ),
    "pointing": Metric(
        "", "higher", "Pointing game: the share of nodules that the map's highest pixel hits."
    ),
    "mass": Metric("", "higher", "Share of the map's sum that lies on the nodule."),
    "marker": Metric("", "lower", "Share of the map's sum that lies on the marker."),
    "sanity": Metric(
        "",
        "lower",
        "Rank correlation of the map with that of a network of random weights. A map "
        "that reaches 1 does not depend on what was learnt.",
    ),
    "deletion": Metric(
        "", "lower", "Mean probability while the map's highest pixels are blurred away first."
    ),
    "insertion": Metric(
        "", "higher", "Mean probability while the map's highest pixels come back first."
    ),
}
ASKS = {
    "scanner_shift": ("auc", "ece", "brier", "dice", "pointing"),
    "explanations/nodules": ("pointing", "mass", "sanity", "deletion", "insertion", "auc"),
    "explanations/shortcut": ("pointing", "marker", "mass", "sanity", "auc"),
    "weak_labels": ("dice", "false_outlines", "pointing", "mass", "auc"),
}

TASK = Task(
    id="frontier",
    title="Trust: explanations, other scanners, few labels",
    survey="5",
    headline="auc",
    metrics=METRICS,
    sources={
        name: ("chest_ct", "lidc_annotations")
        for name in (
            *(f"scanner_shift/{kind}" for kind in TRAINED_ON),
            "explanations/nodules",
            "explanations/shortcut",
            *(f"weak_labels/{kind}" for kind in MASKS),
        )
    },
    plans={
        "smoke": Plan(steps=4, batch=8, evaluations=2),
        "class": Plan(steps=300, batch=16, evaluations=5),
        "full": Plan(steps=6000, batch=32, evaluations=20),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="06_frontiers/01_frontiers",
    asks=ASKS,
)
