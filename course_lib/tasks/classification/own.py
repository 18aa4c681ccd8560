"""Classification of the user's own labelled images or volumes, with any number of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.metrics import classification as metrics
from course_lib.tasks import own_pictures, own_use
from course_lib.tasks.base import Field, Metric, Splits
from course_lib.tasks.classification import malignancy
from course_lib.tasks.classification.malignancy import alternating, shares, stream

MARGIN = 2  # pixels by which images are shifted in training
MOST_RECALLS = 20  # classes whose recall has a column of its own


class Budget(NamedTuple):
    """At most so many images train, validate and test, at most so many values all together in a
    part, and pixels along the longer side of pictures that are files."""

    train: int
    validation: int
    test: int
    values: int
    side: int


BUDGETS = {
    "smoke": Budget(24, 12, 16, 10**7, 32),
    "class": Budget(10_000, 5_000, 20_000, 3 * 10**8, 64),
    "full": Budget(10**9, 10**9, 10**9, 4 * 10**9, 224),
}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Takes the images that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's labelled images with their split, in full up to the profile's budget.

    Raises CourseError for other data, for images with several labels each, and for a part whose
    images are all of one class, because no score would be defined.
    """
    data = own.expect(data, own.Labelled, "classification")
    if any(label.ndim > 1 for label in data.labels.values()):
        raise CourseError(
            f"The images of {data.source} have several labels each; classification needs one. Use "
            "a set with one label, such as breastmnist or pathmnist."
        )
    budget = BUDGETS[profile]
    rows = {name: _rows(data, name, budget) for name in ("train", "validation", "test")}
    lacking = _classes(data, rows)
    kept = {name: len(each) for name, each in rows.items()}
    there = {name: len(each) for name, each in data.labels.items()}
    whole = kept["test"] == there["test"]
    test = f"published test set of {data.published}" if data.published and whole else OWN_TEST
    sides = own_pictures.sides(data.images["train"], budget.side)
    groups = {"train": "training", "validation": "validation", "test": test}
    made = {name: _part(data, name, rows[name], budget.side, groups[name]) for name in rows}
    said = own_use.used(kept, there, "images")
    blank = {name: int((x["image"].flatten(1).std(1) == 0).sum()) for name, x in made.items()}
    lacking += [f"{n} {name} images are of one value throughout." for name, n in blank.items() if n]
    return Splits(
        made["train"],
        made["validation"],
        alternating(made["test"]),
        notes=(*data.told(), said, sides, *lacking),
    )


OWN_TEST = "test images of your own"


def _rows(data: own.Labelled, name: str, budget: Budget) -> list[int]:
    """Which images of a part are used, the same in every run, in random order."""
    label, size = data.labels[name], own_pictures.values(data.images[name], budget.side)
    count = min(getattr(budget, name), max(1, budget.values // size))
    return torch.randperm(len(label), generator=stream(f"own/{name}", 0))[:count].tolist()


def _classes(data: own.Labelled, rows: Mapping[str, Sequence[int]]) -> list[str]:
    """Sentences on classes that a part lacks.

    Raises CourseError where a part holds one class only.
    """
    notes = []
    for name, chosen in rows.items():
        present = np.unique(data.labels[name][list(chosen)])
        named = [data.classes[k] for k in present]
        if len(present) < 2:
            raise CourseError(
                f"All {len(chosen)} {name} images of {data.source} are of the class "
                f"{listed(named)}: nothing can be told apart. Every part needs two classes"
                + ("; give another split with --split." if data.names else ".")
            )
        if len(present) < len(data.classes):
            rest = [each for k, each in enumerate(data.classes) if k not in present]
            notes.append(f"No {name} image is of the class {listed(rest)}.")
    return notes


def _part(data: own.Labelled, name: str, rows: list[int], side: int, group: str) -> Cases:
    image = own_pictures.stacked(data.images[name], rows, side)
    label = torch.from_numpy(data.labels[name][rows]).long()
    total, dims = len(label), image.ndim - 2
    mask = torch.ones_like(image[:, :1], dtype=torch.uint8)
    tensors = {"image": image, "mask": mask, "label": label}
    if group == "training":
        room = (*[MARGIN] * 4, *[0] * 2 * (dims == 3))
        tensors["wide"] = F.pad(image, room, mode="replicate")
        tensors["wide_mask"] = F.pad(mask, room, value=1)
    people = [data.subjects[name][k] for k in rows]
    names = data.names.get(name)
    return Cases(
        tensors=tensors,
        case=[names[k] for k in rows] if names else people,
        subject=people,
        group=[group] * total,
        spacing_mm=torch.ones(total, dims),
        provenance={"image": data.provenance, "label": data.provenance},
        facts=Facts(
            dims=dims,
            channels=image.shape[1],
            classes=len(data.classes),
            class_names=data.classes,
            window=(0.0, 1.0),
            unit="",
            pixel_mm=1.0,
            turns=False,
            rated=False,
        ),
    )


def score(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Every case's share of each score; the recall of a class is of its own cases."""
    label = batch["label"]
    hit = metrics.correct(prediction, label)
    found = shares(prediction, label) | {"accuracy": hit}
    for number, name in enumerate(recalls(facts)):
        found[name] = hit.masked_fill(label != number, torch.nan)
    return {name: values.float().cpu() for name, values in found.items()}


def recalls(facts: Facts) -> tuple[str, ...]:
    """The keys of the classes' recalls, in the order of the classes; none where there are many."""
    few = facts.class_names if len(facts.class_names) <= MOST_RECALLS else ()
    return tuple(f"recall_{word}" for word in own_pictures.keys(few))


def of_classes(facts: Facts) -> dict[str, Metric]:
    """The metrics, with each class's recall by its own name."""
    named = zip(recalls(facts), facts.class_names, strict=False)
    return METRICS | {
        key: Metric(
            "",
            "higher",
            f"Share of the images of {name!r} that are recognised.",
            name=f"Recall of {name}",
        )
        for key, name in named
    }


METRICS = {
    "auc": malignancy.SHARED["auc"],
    "accuracy": Metric("", "higher", "Share of the images whose most probable class is right."),
    **{name: each for name, each in malignancy.SHARED.items() if name != "auc"},
}
FIELDS = {
    "image": Field("N channels *space", "0 to 1", "an image or a volume: the input"),
    "mask": Field("N 1 *space", "class", "1 everywhere: nothing is outlined", dtype="uint8"),
    "label": Field("N", "class", "number of its class", dtype="int64", answer=True),
    "wide": Field("N channels *wide", "0 to 1", "a margin more, to cut `image` from", ("train",)),
    "wide_mask": Field("N 1 *wide", "class", "the same of `mask`", ("train",), "uint8"),
}

PIXELS = 16 * malignancy.SIDE * malignancy.SIDE
"""Of the images of a step on the course's own data."""

QUESTION = replace(
    malignancy.QUESTION,
    id="own",
    title="Classification of your own images",
    fields=FIELDS,
    metrics=METRICS,
    metrics_of=of_classes,
    sources={PATH: ()},
    plans={
        **malignancy.QUESTION.plans,
        "class": replace(
            malignancy.QUESTION.plans["class"], steps=1000, seconds=110, pixels=PIXELS
        ),
        "long": replace(malignancy.QUESTION.plans["long"], pixels=PIXELS),
    },
    make=make,
    score=score,
)
