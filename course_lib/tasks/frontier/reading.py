"""What the frontier's questions share: is there a nodule in this 45 mm of real lung, and where?

Each question asks this plain one, and then one of the survey's three harder ones (section 5): does
it still work on other scanners (`scanner_shift`), what does it look at (`explanations`,
`shortcuts`), can it be learnt from few outlines (`weak_labels`)? A method answers with a
`probability` (N, 2) of no and yes and with a `map` (N, 1, H, W), never negative.

Each nodule is there twice, with and without (`presence`). Lung: one measured CT; nodules: measured
outlines of other patients, filled with simulated density. Split by the patient whose nodule it is;
test nodules lie in the right lung, all others in the left of the same scan.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import classification, saliency
from course_lib.metrics import segmentation as outlines
from course_lib.parts.crops import cut, turned
from course_lib.tasks.base import Field, Metric, Panel, Plan
from course_lib.tasks.frontier import presence

Prediction = Mapping[str, Tensor]
SOURCES = ("chest_ct", "lidc_annotations")
UNSEEN = "nodules of other patients"


@dataclass(frozen=True)
class Size:
    """Nodules made for training, validation and test; each also gives an image without it."""

    train: int
    validation: int
    test: int


SIZES = {"smoke": Size(12, 6, 8), "class": Size(220, 30, 90), "full": Size(600, 90, 210)}

PLANS = {
    "smoke": Plan(steps=4, batch=8, evaluations=2),
    "class": Plan(steps=300, batch=16, evaluations=5, seconds=60),
    "long": Plan(steps=4500, batch=16, evaluations=12, seconds=900),
    "full": Plan(steps=6000, batch=32, evaluations=20),
}

FACTS = {
    "dims": "2: pieces of slices",
    "channels": "1",
    "window": "HU that are shown black and white",
}

FIELDS = {
    "image": Field("N 1 H W", "HU", "a piece of lung: the input"),
    "label": Field("N", "class", "1 with a nodule, 0 without", dtype="int64", answer=True),
    "mask": Field(
        "N 1 H W", "yes or no", "the nodule; empty without one", dtype="bool", answer=True
    ),
    "wide": Field(
        "N 1 high wide",
        "HU",
        "image with its surroundings, of which a batch cuts another piece",
        where=("train",),
    ),
    "wide_mask": Field(
        "N 1 high wide",
        "yes or no",
        "the nodule in them",
        where=("train",),
        dtype="bool",
        answer=True,
    ),
}

METRICS = {
    "auc": Metric(
        "",
        "higher",
        "How often an image with a nodule gets a higher probability than one without. Chance is "
        "0.5.",
        of_set="auc",
    ),
    "dice": Metric("", "higher", "Overlap of the map above 0.5 with the nodule."),
    "pointing": Metric(
        "", "higher", "Pointing game: the share of nodules that the map's highest pixel hits."
    ),
    "mass": Metric("", "higher", "Share of the map's sum that lies on the nodule."),
    "sanity": Metric(
        "",
        "lower",
        "Rank correlation of the map with that of a network of random weights. A map "
        "that reaches 1 does not depend on what was learnt.",
    ),
}


def pieces(profile: str) -> tuple[Cases, Cases, Cases]:
    """Training, validation and test cases, nodules taken from the cache or put into lungs; they
    are fixed. Only training needs the surroundings."""
    size = SIZES[profile]
    train = presence.pairs("train", size.train)
    return (
        replace(train, group=["training"] * len(train)),
        _one_view(presence.pairs("validation", size.validation), "validation"),
        _one_view(presence.pairs("test", size.test), UNSEEN),
    )


def _one_view(cases: Cases, group: str) -> Cases:
    kept = {name: v for name, v in cases.tensors.items() if not name.startswith("wide")}
    return replace(cases, tensors=kept, group=[group] * len(cases))


def extended(cases: Cases, **tensors: Tensor) -> Cases:
    """The cases with more tensors, or others of the same name."""
    return replace(cases, tensors=cases.tensors | tensors)


def nodules_first(cases: Cases) -> Cases:
    """The same cases, those with a nodule before those without."""
    return cases.subset(torch.argsort(-cases["label"], stable=True).tolist())


def generator(word: str, seed: int) -> torch.Generator:
    """A random stream of its own for each use and seed."""
    return torch.Generator().manual_seed(zlib.crc32(f"frontier/{word}/{seed}".encode()))


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Cases drawn at random, each cut anew from its surroundings, mirrored and turned by right
    angles."""
    batch = train.batch(random_index(train, count, generator))
    room = train["wide"].shape[-1] - train["image"].shape[-1]
    corner = torch.randint(room + 1, (count, 2), generator=generator)
    mirror = torch.randint(2, (count,), generator=generator)
    quarters = torch.randint(4, (count,), generator=generator)
    for name, wide in (("image", "wide"), ("mask", "wide_mask")):
        batch[name] = turned(cut(batch.pop(wide), corner, presence.SIDE), mirror, quarters)
    return batch


def auc(prediction: Prediction, batch: Batch) -> Tensor:
    """Each case's share of the area under the curve."""
    return classification.auc_per_case(prediction["probability"].cpu(), batch["label"].cpu())


def evidence(prediction: Prediction, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The probabilities and the true classes."""
    return {"answer": prediction["probability"], "label": batch["label"]}


def among(groups: Tensor, share: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """Each case's share of a score that is counted among the cases of its own group, (N,)."""
    groups, found = groups.cpu(), torch.full((len(groups),), torch.nan)
    for group in groups.unique():
        own = groups == group
        found[own] = share(*(value.cpu()[own] for value in values))
    return found


def on_nodules(values: Tensor, batch: Batch) -> Tensor:
    """The values (N,) of cases with a nodule; nan for those without, where nothing is to be
    found."""
    return values.cpu().float().masked_fill(batch["label"].cpu() != 1, torch.nan)


def dice(prediction: Prediction, batch: Batch) -> Tensor:
    """How well the map outlines each nodule."""
    return on_nodules(outlines.dice(prediction["map"] > 0.5, batch["mask"])[:, 0], batch)


def pointing(prediction: Prediction, batch: Batch) -> Tensor:
    """Whether the map's highest pixel hits each nodule."""
    return on_nodules(saliency.pointing(prediction["map"], batch["mask"]), batch)


def mass(prediction: Prediction, batch: Batch) -> Tensor:
    """How much of the map lies on each nodule."""
    return on_nodules(saliency.mass_inside(prediction["map"], batch["mask"]), batch)


def sanity(prediction: Prediction) -> Tensor:
    """How alike the map is to `randomised`, that of random weights."""
    return saliency.rank_correlation(prediction["map"], prediction["randomised"]).cpu()


def truth(batch: Batch, facts: Facts) -> Prediction:
    """The answer of who knows the truth."""
    yes = batch["label"].float()
    heat = batch["mask"].float()
    return {"probability": torch.stack([1 - yes, yes], 1), "map": heat, "randomised": 1 - heat}


def pictures(prediction: Prediction, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The image, the map (scaled to its largest value), the nodule."""
    heat = prediction["map"][:, 0].float()
    heat = heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-12)
    return {
        "input": Panel(batch["image"][:, 0], "grey", facts.window, "HU", shared=True),
        "output": Panel(heat, "grey", (0, 1), "of the map's maximum", shared=False),
        "truth": Panel(batch["mask"][:, 0].float(), "grey", (0, 1), "nodule", shared=True),
    }
