"""Classification of the user's own labelled images or volumes, with any number of classes."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts
from course_lib.data import own
from course_lib.errors import CourseError
from course_lib.tasks.base import Field, Splits
from course_lib.tasks.classification import malignancy
from course_lib.tasks.classification.malignancy import Size, alternating, recalls, shares, stream

SIZES = {"smoke": Size(24, 12, 16), "class": Size(1000, 200, 400), "full": Size(*3 * [10**9])}
MARGIN = 2  # pixels by which images are shifted in training


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Takes the images that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's labelled images with their published split, thinned out to the profile's size.

    Raises CourseError for other data, and for images with several labels each."""
    data = own.expect(data, own.Labelled, "classification")
    if any(label.ndim > 1 for label in data.labels.values()):
        raise CourseError(
            f"The images of {data.source} have several labels each; classification needs one. Use "
            "a set with one label, such as breastmnist or pathmnist."
        )
    size = SIZES[profile]
    return Splits(
        train=_part(data, "train", size.train, "training"),
        validation=_part(data, "validation", size.validation, "validation"),
        test=alternating(_part(data, "test", size.test, "published test set")),
    )


def _part(data: own.Labelled, name: str, count: int, group: str) -> Cases:
    image, label = (torch.from_numpy(each[name]) for each in (data.images, data.labels))
    order = torch.randperm(len(label), generator=stream(f"own/{name}", 0))[:count]
    image, label = image[order].float(), label[order].long()
    total, dims = len(label), image.ndim - 2
    mask = torch.ones_like(image[:, :1], dtype=torch.uint8)
    tensors = {"image": image, "mask": mask, "label": label}
    if group == "training":
        room = (*[MARGIN] * 4, *[0] * 2 * (dims == 3))
        tensors["wide"] = F.pad(image, room, mode="replicate")
        tensors["wide_mask"] = F.pad(mask, room, value=1)
    names = [data.subjects[name][k] for k in order.tolist()]
    return Cases(
        tensors=tensors,
        case=names,
        subject=names,
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
    """Every case's share of each score; with more than two classes, recall of 0 and of 1 is
    undefined."""
    label = batch["label"]
    of_two = recalls(prediction, label)
    if facts.classes != 2:
        of_two = {name: torch.full_like(values, torch.nan) for name, values in of_two.items()}
    found = shares(prediction, label) | of_two
    return {name: values.float().cpu() for name, values in found.items()}


RECALLS = {"sensitivity": 1, "specificity": 0}
FIELDS = {
    "image": Field("N channels *space", "0 to 1", "an image or a volume: the input"),
    "mask": Field("N 1 *space", "class", "1 everywhere: nothing is outlined", dtype="uint8"),
    "label": Field("N", "class", "number of its class", dtype="int64", answer=True),
    "wide": Field("N channels *wide", "0 to 1", "a margin more, to cut `image` from", ("train",)),
    "wide_mask": Field("N 1 *wide", "class", "the same of `mask`", ("train",), "uint8"),
}

QUESTION = replace(
    malignancy.QUESTION,
    id="own",
    title="Classification of your own images",
    fields=FIELDS,
    metrics=malignancy.SHARED
    | {
        name: replace(malignancy.METRICS[name], text=f"Recall of class {number}; two classes only.")
        for name, number in RECALLS.items()
    },
    sources={PATH: ()},
    make=make,
    score=score,
)
