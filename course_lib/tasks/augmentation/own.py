"""Augmentation of the user's own labelled 2D images: the most frequent class against all others."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases, Facts
from course_lib.data import own
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.augmentation import malignancy
from course_lib.tasks.augmentation.lung_patches import SIZES
from course_lib.tasks.base import Field, Splits


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Pictures of the labelled images that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """As few labels as of nodules, at 32 pixels. Grey values 0 … 1 take the place of -1000 …
    400 HU.

    Raises CourseError for other kinds of data, volumes, several labels an image, or one class.
    """
    data = own.expect(data, own.Labelled, "augmentation")
    known = data.labels["train"]
    if known.ndim != 1 or not len(known) or np.ndim(data.images["train"][0]) != 3:
        raise CourseError(
            f"{data.source} holds volumes, or several labels for an image; augmentation needs 2D "
            "images with one label each, such as breastmnist.npz or pneumoniamnist.npz."
        )
    first, size = int(np.bincount(known).argmax()), SIZES[profile]
    others = [name for number, name in enumerate(data.classes) if number != first]
    facts = malignancy.FACTS | {
        "classes": (data.classes[first], others[0] if len(others) == 1 else "all others"),
        "hounsfield": False,
    }
    most = {"train": size.labelled, "validation": size.validation, "test": size.test}
    parts = {name: _part(data, name, first, most[name], seed, facts) for name in most}
    taken = {name: len(cases) for name, cases in parts.items()}
    there = {name: len(data.labels[name]) for name in parts}
    named = f"Asked: {facts.classes[0]} against {facts.classes[1]}, as many of each"
    notes = (
        *data.told(),
        own_use.used(taken, there, "images"),
        f"{named}; images at {facts.side} x {facts.side} pixels, in grey.",
    )
    return Splits(**parts, notes=notes)


def _part(data: own.Labelled, name: str, first: int, most: int, seed: int, facts: Facts) -> Cases:
    """At most so many images of class `first` and of all others, in turn."""
    label = torch.from_numpy(data.labels[name] != first).long()
    if label.unique().numel() < 2:
        raise CourseError(f"{data.source} has only one class in its part {name!r}.")
    generator = torch.Generator().manual_seed(seed if name == "train" else 0)
    order = torch.randperm(len(label), generator=generator)
    of_class = [order[label[order] == which] for which in (0, 1)]
    count = min(most, *map(len, of_class))
    index = torch.stack([rows[:count] for rows in of_class], 1).flatten()
    image = torch.cat([_small(data.images[name][k], facts.side) for k in index.tolist()])
    low, high = facts.window
    people = data.subjects[name]
    names = data.names.get(name) or people
    group = name if name != "test" else "test images"
    named = [names[k] for k in index.tolist()]
    cases = malignancy.labelled(low + (high - low) * image, label[index], named, group, facts)
    return replace(
        cases,
        subject=[people[k] for k in index.tolist()],
        provenance={"image": data.provenance, "label": "as given"},
    )


def _small(image: np.ndarray, side: int) -> Tensor:
    """An image (C, y, x) of any size in grey, (1, 1, side, side)."""
    grey = torch.from_numpy(np.ascontiguousarray(image, np.float32)).mean(0)[None, None]
    return F.interpolate(grey, size=(side, side), mode="bilinear", antialias=True)


QUESTION = replace(
    malignancy.QUESTION,
    id="own",
    title="Your own labelled images",
    fields={
        **malignancy.QUESTION.fields,
        "image": Field("N 1 H H", "grey", "a picture, its greys stretched to the window"),
    },
    sources={PATH: ("imagenet_weights",)},
    make=make,
)
