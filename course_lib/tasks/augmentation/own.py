"""Augmentation of the user's own labelled 2D images: the most frequent class against all others."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.cases import PATH
from course_lib.data import own
from course_lib.errors import CourseError
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
    if known.ndim != 1 or data.images["train"].ndim != 4:
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
    low, high = facts.window
    parts = []
    for name, count in (
        ("train", size.labelled),
        ("validation", size.validation),
        ("test", size.test),
    ):
        label = torch.from_numpy(data.labels[name] != first).long()
        if label.unique().numel() < 2:
            raise CourseError(f"{data.source} has only one class in its part {name!r}.")
        generator = torch.Generator().manual_seed(seed if name == "train" else 0)
        order = torch.randperm(len(label), generator=generator)
        of_class = [order[label[order] == which] for which in (0, 1)]
        count = min(count, *map(len, of_class))
        index = torch.stack([rows[:count] for rows in of_class], 1).flatten()
        image = torch.from_numpy(data.images[name][index.numpy()]).mean(1, keepdim=True)
        image = F.interpolate(image, size=(facts.side,) * 2, mode="bilinear", antialias=True)
        image = low + (high - low) * image
        names = [data.subjects[name][k] for k in index.tolist()]
        group = name if name != "test" else "test images"
        cases = malignancy.labelled(image, label[index], names, group, facts)
        parts.append(replace(cases, provenance={"image": data.provenance, "label": "as given"}))
    return Splits(*parts)


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
