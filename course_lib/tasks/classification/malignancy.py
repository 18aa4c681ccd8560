"""Classification: is a lung nodule likely to be malignant (survey section 4.1)?

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
test cases come a second time as "other scanner": the same nodules, made smoother and noisier.
"""

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join, random_index
from course_lib.data import own
from course_lib.errors import CourseError
from course_lib.metrics import classification as scores
from course_lib.parts.classification.crops import cut, turned
from course_lib.physics.rescan import softer_and_noisier
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task

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


OWN_SIZES = {"smoke": Size(24, 12, 16), "class": Size(1000, 200, 400), "full": Size(*3 * [10**9])}
OWN_MARGIN = 2  # pixels by which the user's images are shifted in training
SIZES = {"smoke": Size(24, 12, 16), "class": Size(300, 60, 160), "full": Size(600, 90, 200)}


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Puts nodules into lungs, or reads them back. The seed decides which nodules a small data set
    holds and which labels a noisy one has wrong; validation and test cases are fixed."""
    size, (count, _, noisy) = SIZES[profile], dataset.split("/")[1].partition("_")
    generator = _generator("training", seed)
    train = _draw(_pool("train", size.train), int(count), generator)
    if noisy:
        wrong = torch.randperm(len(train), generator=generator)[: round(WRONG_LABELS * len(train))]
        label = train["label"].clone()
        label[wrong] = 1 - label[wrong]
        train = replace(train, tensors=train.tensors | {"label": label})
    test = _alternating(_one_view(_pool("test", size.test), OTHER_PATIENTS, "test"))
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
    corner = torch.randint(2 * MARGIN + 1, (total, 2), generator=_generator(part, 1))
    tensors = {
        "wide": made["image"],
        "wide_mask": made["mask"],
        "wide_background": made["background"],
        "image": cut(made["image"], corner, SIDE),
        "background": cut(made["background"], corner, SIDE),
        "mask": cut(made["mask"], corner, SIDE),
        "label": label,
        "classes": torch.full((total,), len(CLASSES)),
        "malignancy": made["malignancy"],
        "raters": made["raters"],
        "window": torch.tensor(WINDOW).expand(total, 2).contiguous(),
        "pixel_mm": made.spacing_mm[:, 0].float(),
        "turns": torch.ones(total, dtype=torch.bool),
        "scanner": torch.zeros(total, dtype=torch.long),
    }
    said = made.provenance | {"wide": made.provenance["image"], "label": "readers' mean opinion"}
    return replace(made, tensors=tensors, provenance=said)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's labelled images with their published split, thinned out to the profile's size.

    Raises CourseError for other data, and for images with several labels each."""
    own.expect(data, own.Labelled, "classification")
    if any(label.ndim > 1 for label in data.labels.values()):
        raise CourseError(
            f"The images of {data.source} have several labels each; classification needs one. Use "
            "a set with one label, such as breastmnist or pathmnist."
        )
    size = OWN_SIZES[profile]

    def part(name: str, count: int, group: str) -> Cases:
        image, label = (torch.from_numpy(each[name]) for each in (data.images, data.labels))
        order = torch.randperm(len(label), generator=_generator(f"own/{name}", 0))[:count]
        image, label = image[order].float(), label[order].long()
        total, solid = len(label), image.ndim == 5
        room = (*[OWN_MARGIN] * 4, *[0] * 2 * solid)
        tensors = {
            "image": image,
            "mask": torch.ones_like(image[:, :1], dtype=torch.uint8),
            "label": label,
            "classes": torch.full((total,), len(data.classes)),
            "window": torch.tensor([0.0, 1.0]).repeat(total, 1),
            "pixel_mm": torch.ones(total),
            "turns": torch.zeros(total, dtype=torch.bool),
            "scanner": torch.zeros(total, dtype=torch.long),
        }
        if group == "training":
            tensors |= {
                "wide": F.pad(image, room, mode="replicate"),
                "wide_mask": F.pad(tensors["mask"], room, value=1),
            }
        names = [data.subjects[name][k] for k in order.tolist()]
        return Cases(
            tensors=tensors,
            case=names,
            subject=names,
            group=[group] * total,
            spacing_mm=torch.ones(total, image.ndim - 2),
            provenance={"image": data.provenance, "label": data.provenance},
        )

    return Splits(
        train=part("train", size.train, "training"),
        validation=part("validation", size.validation, "validation"),
        test=_alternating(part("test", size.test, "published test set")),
    )


def _generator(word: str, seed: int) -> torch.Generator:
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
    generator = _generator(word, 0)
    corner = torch.randint(2 * MARGIN + 1, (len(pool), 2), generator=generator)
    kept = {k: v for k, v in pool.tensors.items() if not k.startswith("wide") and k != "background"}
    kept |= {"image": cut(pool["wide"], corner, SIDE), "mask": cut(pool["wide_mask"], corner, SIDE)}
    return replace(pool, tensors=kept, group=[group] * len(pool))


def _alternating(cases: Cases) -> Cases:
    """The same cases, labels in turn, so that the first few hold both."""
    turn = [torch.nonzero(cases["label"] == c).flatten().tolist() for c in (0, 1)]
    both = [k for pair in zip(*turn, strict=False) for k in pair]
    return cases.subset(both + [k for k in range(len(cases)) if k not in set(both)])


def other_scanner(cases: Cases) -> Cases:
    """The same nodules from a scanner with a softer kernel and fewer photons (`physics.rescan`)."""
    image = softer_and_noisier(
        cases["image"], SMOOTHER_PIXELS, NOISIER_HU, _generator("scanner", 0)
    )
    return replace(
        cases,
        tensors=cases.tensors | {"image": image, "scanner": torch.ones_like(cases["scanner"])},
        case=[f"{name}/other-scanner" for name in cases.case],
        group=[OTHER_SCANNER] * len(cases),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Cases drawn at random, each shifted by some pixels and mirrored; where `turns` says that
    up and down mean nothing, also turned by right angles."""
    side, room = train["image"].shape[-1], train["wide"].shape[-1] - train["image"].shape[-1]
    batch = train.batch(random_index(train, count, generator))
    corner = torch.randint(room + 1, (count, 2), generator=generator)
    mirror = torch.randint(2, (count,), generator=generator)
    quarters = torch.randint(4, (count,), generator=generator) * batch["turns"].cpu()
    wide = {"image": "wide", "mask": "wide_mask", "background": "wide_background"}
    for name in wide.keys() & batch.keys():
        batch[name] = turned(cut(batch.pop(wide[name]), corner, side), mirror, quarters)
    return batch


def score(prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Every case's share of each score of its scanner's cases."""
    label, scanner = batch["label"], batch["scanner"]
    result = {name: torch.full((len(label),), torch.nan) for name in METRICS}
    for which in scanner.unique():
        own = scanner == which
        for name, values in _score(prediction[own], label[own]).items():
            result[name][own.cpu()] = values.float().cpu()
    return result


def _score(probabilities: Tensor, label: Tensor) -> dict[str, Tensor]:
    hit = scores.correct(probabilities, label)
    two = probabilities.shape[1] == 2
    return {
        "auc": scores.auc_per_case(probabilities, label),
        "balanced_accuracy": scores.balanced_per_case(probabilities, label),
        "brier": scores.brier(probabilities, label),
        "ece": scores.calibration_per_case(probabilities, label),
        "sensitivity": hit.masked_fill((label != 1) | (not two), torch.nan),
        "specificity": hit.masked_fill((label != 0) | (not two), torch.nan),
    }


def pictures(prediction: Tensor, batch: Batch) -> dict[str, Panel]:
    """The image, and as bars from left to right: the probability of the last class, and 0 or 1."""
    image = batch["image"].float().mean(dim=1)
    image = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    last = prediction.shape[1] - 1
    place = torch.arange(image.shape[-1], device=image.device).expand(image.shape)
    place = (place + 0.5) / image.shape[-1]

    def bar(share: Tensor) -> Tensor:
        return (place < share.view(-1, 1, 1)).float()

    low, high = batch["window"][0].tolist()
    unit = "HU" if (low, high) == WINDOW else ""
    return {
        "input": Panel(image, "grey", (low, high), unit, shared=True),
        "output": Panel(bar(prediction[:, last]), "grey", (0, 1), "probability", shared=False),
        "truth": Panel(bar((batch["label"] == last).float()), "grey", (0, 1), "label", shared=True),
    }


METRICS = {
    "auc": Metric(
        "",
        "higher",
        "Area under the ROC curve: how often a case gets a higher probability of its class than a "
        "case of another class does. Chance is 0.5.",
    ),
    "balanced_accuracy": Metric(
        "", "higher", "The mean of the classes' recalls at the most probable class."
    ),
    "brier": Metric("", "lower", "Squared error of the probabilities, 0 to 2."),
    "ece": Metric(
        "", "lower", "Expected calibration error: how far certainty lies from the share of hits."
    ),
    "sensitivity": Metric("", "higher", "Recall of class 1, suspicious nodules; two classes only."),
    "specificity": Metric("", "higher", "Recall of class 0, benign nodules; two classes only."),
}

TASK = Task(
    id="classification",
    title="Classification of lung nodules",
    survey="4.1",
    headline="auc",
    metrics=METRICS,
    sources={f"nodules/{count}": ("chest_ct", "lidc_annotations") for count in COUNTS},
    plans={
        "smoke": Plan(steps=6, batch=8, evaluations=2),
        "class": Plan(steps=300, batch=16, evaluations=4),
        "full": Plan(steps=5000, batch=32, evaluations=20),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="05_classification_detection/01_classification",
    own=own_cases,
)
