"""Is a lung nodule likely to be malignant (survey section 4.1)?

A case is a square of 45 mm of real lung with a nodule in it. Its shape, and how suspicious it is,
are those of a real nodule: up to four radiologists outlined it and rated it from 1 (highly unlikely
to be malignant) to 5 (highly suspicious). The label says whether their mean lies above 3; nodules
rated exactly 3 are left out. It is an opinion of readers, not a biopsy. The nodule's CT numbers
are simulated from the readers' other ratings, in a real lung of one scan.

Data sets say how many nodules may be learnt from: `nodules/300`, `nodules/100`, `nodules/30`,
`nodules/10`, half of each label as far as they go; the smaller ones are drawn by the seed. In
`nodules/300_noisy` a fifth of the labels is wrong. Validation and test cases are the same for all.

Split by patient, once and for all. Nodules of training and validation patients lie in the left
lung, those of test patients in the right: no test background was seen in training, but all are of
one scan, and the intervals say nothing about others. Each test patient counts with one nodule. The
test cases come a second time as "other scanner": the same, made smoother and noisier."""

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, join, random_index
from course_lib.metrics import classification as scores
from course_lib.parts.crops import cut, turned
from course_lib.physics.rescan import softer_and_noisier
from course_lib.tasks.base import Field, Metric, Panel, Plan, Question, Splits

CLASSES = ("probably benign", "suspicious")
WINDOW = (-1000.0, 400.0)  # HU: black and white
SIDE, MARGIN = 64, 10  # pixels of a case, and how far it may lie off the nodule's middle
OTHER_PATIENTS = "nodules of other patients"
OTHER_SCANNER = "nodules of other patients, other scanner"
COUNTS = ("300", "100", "30", "10", "300_noisy")
WRONG_LABELS = 0.2
SMOOTHER_PIXELS, NOISIER_HU = 1.0, 60.0  # the other scanner


@dataclass(frozen=True)
class Size:
    """Nodules made for training, validation and test."""

    train: int
    validation: int
    test: int


SIZES = {"smoke": Size(24, 12, 16), "class": Size(300, 60, 160), "full": Size(600, 90, 200)}


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Puts nodules into lungs, or reads them back. The seed decides which nodules a small data set
    holds and which labels a noisy one has wrong; validation and test cases are fixed."""
    size, (count, _, noisy) = SIZES[profile], dataset.split("/")[1].partition("_")
    generator = stream("training", seed)
    train = _draw(_pool("train", size.train), int(count), generator)
    if noisy:
        wrong = torch.randperm(len(train), generator=generator)[: round(WRONG_LABELS * len(train))]
        label = train["label"].clone()
        label[wrong] = 1 - label[wrong]
        train = replace(train, tensors=train.tensors | {"label": label})
    test = alternating(_one_view(_pool("test", size.test), OTHER_PATIENTS, "test"))
    return Splits(
        train=replace(train, group=["training"] * len(train)),
        validation=_one_view(_pool("validation", size.validation), "validation", "validation"),
        test=join([test, other_scanner(test)]),
    )


@lru_cache(maxsize=4)
def _pool(part: str, count: int) -> Cases:
    """The nodules of a part in their lung, wide enough to be cut off their middle."""
    from course_lib.data.lesions.stored import rated_nodules

    made = rated_nodules(part, count, SIDE + 2 * MARGIN)
    total = len(made)
    label = (made["malignancy"] > 3).long()
    # Off the middle, as in the test: what looks at training cases once must not find them centred.
    corner = torch.randint(2 * MARGIN + 1, (total, 2), generator=stream(part, 1))
    tensors = {
        "wide": made["image"],
        "wide_mask": made["mask"],
        "wide_background": made["background"],
        "image": cut(made["image"], corner, SIDE),
        "background": cut(made["background"], corner, SIDE),
        "mask": cut(made["mask"], corner, SIDE),
        "label": label,
        "malignancy": made["malignancy"],
        "raters": made["raters"],
        "scanner": torch.zeros(total, dtype=torch.long),
    }
    said = made.provenance | {"wide": made.provenance["image"], "label": "readers' mean opinion"}
    facts = Facts(
        dims=2,
        channels=1,
        classes=len(CLASSES),
        class_names=CLASSES,
        window=WINDOW,
        unit="HU",
        pixel_mm=float(made.spacing_mm[0, 0]),
        turns=True,
        rated=True,
    )
    return replace(made, tensors=tensors, provenance=said, facts=facts)


def stream(word: str, seed: int) -> torch.Generator:
    """Random numbers for one purpose."""
    return torch.Generator().manual_seed(zlib.crc32(f"classification/{word}/{seed}".encode()))


def _draw(pool: Cases, count: int, generator: torch.Generator) -> Cases:
    """`count` cases, half of each label as far as they go; all if there are not more."""
    if count >= len(pool):
        return pool
    order = torch.randperm(len(pool), generator=generator)
    label = pool["label"][order]
    ranks = [order[label == c].tolist() for c in (0, 1)]
    few = min(count // 2, *map(len, ranks))
    picked = ranks[0][: count - few] + ranks[1][:few]
    return pool.subset(picked)


def _one_view(pool: Cases, group: str, word: str) -> Cases:
    """Each nodule at one fixed place off the middle; without what only training needs."""
    generator = stream(word, 0)
    corner = torch.randint(2 * MARGIN + 1, (len(pool), 2), generator=generator)
    kept = {k: v for k, v in pool.tensors.items() if not k.startswith("wide") and k != "background"}
    kept |= {"image": cut(pool["wide"], corner, SIDE), "mask": cut(pool["wide_mask"], corner, SIDE)}
    return replace(pool, tensors=kept, group=[group] * len(pool))


def alternating(cases: Cases) -> Cases:
    """The same cases, labels in turn, so that the first few hold both."""
    turn = [torch.nonzero(cases["label"] == c).flatten().tolist() for c in (0, 1)]
    both = [k for pair in zip(*turn, strict=False) for k in pair]
    return cases.subset(both + [k for k in range(len(cases)) if k not in set(both)])


def other_scanner(cases: Cases) -> Cases:
    """The same nodules from a scanner with a softer kernel and fewer photons (`physics.rescan`)."""
    image = softer_and_noisier(cases["image"], SMOOTHER_PIXELS, NOISIER_HU, stream("scanner", 0))
    return replace(
        cases,
        tensors=cases.tensors | {"image": image, "scanner": torch.ones_like(cases["scanner"])},
        case=[f"{name}/other-scanner" for name in cases.case],
        group=[OTHER_SCANNER] * len(cases),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Cases drawn at random, each shifted by some pixels and mirrored; where up and down mean
    nothing (`turns`), also turned by right angles."""
    side, room = train["image"].shape[-1], train["wide"].shape[-1] - train["image"].shape[-1]
    batch = train.batch(random_index(train, count, generator))
    corner = torch.randint(room + 1, (count, 2), generator=generator)
    mirror = torch.randint(2, (count,), generator=generator)
    quarters = torch.randint(4, (count,), generator=generator) * int(train.facts.turns)
    wide = {"image": "wide", "mask": "wide_mask", "background": "wide_background"}
    for name in wide.keys() & batch.keys():
        batch[name] = turned(cut(batch.pop(wide[name]), corner, side), mirror, quarters)
    return batch


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score of its scanner's cases."""
    label, scanner = batch["label"], batch["scanner"]
    result = {name: torch.full((len(label),), torch.nan) for name in METRICS}
    for which in scanner.unique():
        own = scanner == which
        found = shares(prediction[own], label[own]) | recalls(prediction[own], label[own])
        for name, values in found.items():
            result[name][own.cpu()] = values.float().cpu()
    return result


def evidence(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The probabilities and the true classes."""
    return {"answer": prediction, "label": batch["label"]}


def recalls(probabilities: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Whether each case of class 1, and each of class 0, is recognised; nan for the other."""
    hit = scores.correct(probabilities, label)
    return {
        "sensitivity": hit.masked_fill(label != 1, torch.nan),
        "specificity": hit.masked_fill(label != 0, torch.nan),
    }


def shares(probabilities: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Every case's share of the scores that any number of classes has."""
    return {
        "auc": scores.auc_per_case(probabilities, label),
        "balanced_accuracy": scores.balanced_per_case(probabilities, label),
        "brier": scores.brier(probabilities, label),
        "ece": scores.calibration_per_case(probabilities, label),
    }


def truth(batch: Batch, facts: Facts) -> Tensor:
    """The answer of who knows the truth."""
    return torch.eye(len(facts.class_names), device=batch["label"].device)[batch["label"]]


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The image, and as bars from left to right: the probability of the last class, and 0 or 1."""
    image = batch["image"].float().mean(dim=1)
    image = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    last = prediction.shape[1] - 1
    place = torch.arange(image.shape[-1], device=image.device).expand(image.shape)
    place = (place + 0.5) / image.shape[-1]

    def bar(share: Tensor) -> Tensor:
        return (place < share.view(-1, 1, 1)).float()

    return {
        "input": Panel(image, "grey", facts.window, facts.unit, shared=True),
        "output": Panel(bar(prediction[:, last]), "grey", (0, 1), "probability", shared=False),
        "truth": Panel(bar((batch["label"] == last).float()), "grey", (0, 1), "label", shared=True),
    }


SHARED = {
    "auc": Metric(
        "",
        "higher",
        "Area under the ROC curve: how often a case gets a higher probability of its class than a "
        "case of another class does. Chance is 0.5.",
        of_set="auc",
    ),
    "balanced_accuracy": Metric(
        "",
        "higher",
        "The mean of the classes' recalls at the most probable class.",
        "balanced_accuracy",
    ),
    "brier": Metric("", "lower", "Squared error of the probabilities, 0 to 2."),
    "ece": Metric(
        "",
        "lower",
        "Expected calibration error: how far certainty lies from the share of hits.",
        of_set="ece 15",
    ),
}
METRICS = SHARED | {
    "sensitivity": Metric("", "higher", "Recall of class 1, suspicious nodules."),
    "specificity": Metric("", "higher", "Recall of class 0, benign nodules."),
}

TRAINING = ("train", "batch")
FIELDS = {
    "image": Field("N 1 H W", "HU", "lung with a nodule in it: the input"),
    "mask": Field("N 1 H W", "class", "1 in the readers' outline", dtype="uint8", privileged=True),
    "label": Field("N", "class", "1 where `malignancy` is above 3", dtype="int64", answer=True),
    "malignancy": Field("N", "rating", "the readers' mean, 1 to 5, never 3", answer=True),
    "raters": Field("N", "readers", "how many of them rated it", dtype="int64", answer=True),
    "scanner": Field("N", "number", "0, or 1 for the other scanner", dtype="int64"),
    "background": Field("N 1 H W", "HU", "the same lung without the nodule", TRAINING),
    "wide": Field("N 1 wide wide", "HU", "more of the lung, to cut `image` from", ("train",)),
    "wide_mask": Field(
        "N 1 wide wide", "class", "the same of `mask`", ("train",), "uint8", privileged=True
    ),
    "wide_background": Field("N 1 wide wide", "HU", "the same of `background`", ("train",)),
}
FACTS = {
    "dims": "2: images, 3: volumes",
    "channels": "of an image",
    "classes": "how many there are",
    "class_names": "their names",
    "window": "the values of an image that are shown black and white",
    "unit": "of an image's values: HU, or none",
    "pixel_mm": "side of a pixel in mm",
    "turns": "whether up and down mean nothing, so that images may be turned",
    "rated": "whether readers said how sure they are (`malignancy`)",
}

QUESTION = Question(
    id="malignancy",
    title="Classification of lung nodules",
    fields=FIELDS,
    facts=FACTS,
    headline="auc",
    metrics=METRICS,
    sources={f"nodules/{count}": ("chest_ct", "lidc_annotations") for count in COUNTS},
    plans={
        "smoke": Plan(steps=6, batch=8, evaluations=2),
        "class": Plan(steps=300, batch=16, evaluations=4, seconds=60),
        "long": Plan(steps=4500, batch=16, evaluations=12, seconds=900),
        "full": Plan(steps=5000, batch=32, evaluations=20),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    evidence=evidence,
)
