"""Augmentation: pictures that nobody took, and what they are good for (survey section 2.2.1).

A patch shows a lung nodule, 34 mm wide, on 32 x 32 pixels. Shapes, ratings and the lung around are
measured; the nodule's own CT numbers are simulated from the radiologists' ratings. There are two
questions, each a data set of its own, because no method answers both.

`malignancy`: few labelled nodules, benign or malignant in the mean opinion of at least three
radiologists. A method makes further training pictures. The judge, a small classifier that is the
same for all methods, learns from them and is tested on nodules of other patients. Half of all
cases are malignant, so that accuracy by chance is one half.

`anomaly`: only healthy lung to learn from. Is there something in this patch that does not belong?
Each test place is shown twice, as it was and with a nodule. All lung is of one scan, so training
and test share the patient: training lies in the left lung, test in the right one.

How much the made pictures differ from real ones is measured as a kernel distance of ImageNet
features. It has no bias for small sets, unlike the Fréchet distance, which is above zero between
two sets of real pictures, about as much as one over their number.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.data import own
from course_lib.data.lesions import library
from course_lib.errors import CourseError
from course_lib.metrics import classification
from course_lib.metrics.generation import kernel_distance_per_case
from course_lib.tasks.base import Metric, Panel, Plan, Splits, Task

SAME_PATIENT = "same patient, other lung"
OTHER_PATIENTS = "nodules of other patients"
# profile: nodules of each class in training, those of the seed, validation, test; healthy patches
SIZES = {"smoke": (6, 4, 4, 6, 32), "class": (70, 50, 40, 90, 1000), "full": (70, 60, 40, 90, 8000)}
WINDOW = (-1000.0, 400.0)
CLASSIFIED = ("auc", "brier", "ece", "sensitivity", "specificity", "kernel_distance")


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """The patches. Patients are split once and for all; the seed decides which nodules of the
    training patients are labelled. The latest cases are kept, because a lesson asks for the same
    ones several times."""
    pool, labelled, validation, test, healthy = SIZES[profile]
    train = library.part("train", pool, healthy)
    held = library.part("validation", validation, 0), library.part("test", test, 0)
    if dataset == "malignancy":
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(pool, generator=generator)[:labelled]
        index = torch.stack([2 * order, 2 * order + 1], 1).flatten().tolist()
        return Splits(
            _cases(train.image, train.label, train.nodule, "training").subset(index),
            *(
                _cases(part.image, part.label, part.nodule, group)
                for part, group in zip(held, ("validation", OTHER_PATIENTS), strict=True)
            ),
        )
    count = len(train.healthy)
    names = [f"{library.BACKGROUND}/place-{k:05d}" for k in range(count)]
    none = torch.zeros(count, dtype=torch.long)
    return Splits(
        _cases(train.healthy, none, names, "training"),
        *(
            _pairs(part, group)
            for part, group in zip(held, ("validation", SAME_PATIENT), strict=True)
        ),
    )


def _pairs(part: library.Part, group: str) -> Cases:
    """Each second place (so that both classes of nodules occur) without and with its nodule."""
    keep = [k for k in range(len(part.label)) if k % 4 in (0, 3)]
    image = torch.stack([part.without[keep], part.image[keep]], 1).flatten(0, 1)
    mask = torch.stack([torch.zeros_like(part.mask[keep]), part.mask[keep]], 1).flatten(0, 1)
    names = [f"{part.nodule[k]}/{word}" for k in keep for word in ("without", "with")]
    return _cases(image, torch.arange(len(image)) % 2, names, group, mask)


def _cases(
    image: Tensor, label: Tensor, names: list[str], group: str, mask: Tensor | None = None
) -> Cases:
    """Patches (N, 1, 32, 32) HU with labels (N,) as Cases.

    `draw` and `wanted` say which picture a method is to make beside each case: the seed, and the
    class, which alternates whatever the case's own class is.
    """
    number = torch.arange(len(image))
    return Cases(
        tensors={
            "image": image,
            "label": label,
            "mask": torch.zeros_like(image) if mask is None else mask,
            "draw": number,
            "wanted": number % 2,
        },
        case=list(names),
        subject=[name.split("/")[0] for name in names],
        group=[group] * len(image),
        spacing_mm=torch.full((len(image), 2), library.PIXEL_MM),
        provenance={
            "image": "measured lung, nodule simulated from a measured shape and ratings",
            "label": "measured: radiologists' mean opinion, or whether a nodule was put there",
            "mask": "measured shape, resampled",
        },
    )


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's labelled 2D images: the most frequent class against all others, as few labels as
    this task's own, at 32 pixels. Grey values 0 … 1 take the place of -1000 … 400 HU.

    Raises CourseError for other kinds of data, volumes, several labels an image, or one class.
    """
    own.expect(data, own.Labelled, TASK.title)
    _, labelled, validation, test, _ = SIZES[profile]
    known = data.labels["train"]
    if known.ndim != 1 or data.images["train"].ndim != 4:
        raise CourseError(
            f"{data.source} holds volumes, or several labels for an image; augmentation needs 2D "
            "images with one label each, such as breastmnist.npz or pneumoniamnist.npz."
        )
    first = int(np.bincount(known).argmax())
    parts = []
    for name, count in (("train", labelled), ("validation", validation), ("test", test)):
        label = torch.from_numpy(data.labels[name] != first).long()
        if label.unique().numel() < 2:
            raise CourseError(f"{data.source} has only one class in its part {name!r}.")
        generator = torch.Generator().manual_seed(seed if name == "train" else 0)
        order = torch.randperm(len(label), generator=generator)
        of_class = [order[label[order] == which] for which in (0, 1)]
        count = min(count, *map(len, of_class))
        index = torch.stack([rows[:count] for rows in of_class], 1).flatten()
        image = torch.from_numpy(data.images[name][index.numpy()]).mean(1, keepdim=True)
        image = F.interpolate(image, size=(32, 32), mode="bilinear", antialias=True)
        image = WINDOW[0] + (WINDOW[1] - WINDOW[0]) * image
        names = [data.subjects[name][k] for k in index.tolist()]
        cases = _cases(image, label[index], names, name if name != "test" else "test images")
        parts.append(replace(cases, provenance={"image": data.provenance, "label": "as given"}))
    return Splits(*parts)


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random training patches, as many of each class as can be."""
    label = train["label"].cpu()
    classes = label.unique()
    index = []
    for number, which in enumerate(classes):
        own = (label == which).nonzero()[:, 0]
        share = (count + len(classes) - 1 - number) // len(classes)
        index.append(own[torch.randint(len(own), (share,), generator=generator)])
    return train.batch(torch.cat(index).to(train.device))


def score(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Shares of the AUC; then the scores of probabilities, or those of an anomaly map."""
    label = batch["label"]
    if "probabilities" not in prediction:
        value = prediction["score"]
        return {
            "auc": classification.auc_per_case(torch.stack([-value, value], 1), label),
            "pixel_auc": _pixel_auc(prediction["map"], batch["mask"]),
        }
    probabilities = prediction["probabilities"]
    hit = classification.correct(probabilities, label)
    distance = torch.full_like(hit, torch.nan)
    if len(label) > 1:
        features = (image_features(x) for x in (batch["image"], prediction["generated"]))
        distance = kernel_distance_per_case(*features)
    return {
        "auc": classification.auc_per_case(probabilities, label),
        "brier": classification.brier(probabilities, label),
        "ece": classification.calibration_per_case(probabilities, label, bins=10),
        "sensitivity": hit.masked_fill(label != 1, torch.nan),
        "specificity": hit.masked_fill(label != 0, torch.nan),
        "kernel_distance": distance,
    }


def _pixel_auc(heat: Tensor, mask: Tensor) -> Tensor:
    """AUC of a map (N, 1, H, W) for the pixels of the nodule, (N,); nan without a nodule."""
    pairs = zip(heat.flatten(1), (mask.flatten(1) > 0.5).long(), strict=True)
    return torch.stack([classification.auc(values, inside) for values, inside in pairs])


def image_features(image: Tensor) -> Tensor:
    """(N, 1, 32, 32) HU → (N, 1280), of pictures enlarged to 64 pixels."""
    network = _network().to(image.device)
    unit = ((image - WINDOW[0]) / (WINDOW[1] - WINDOW[0])).clamp(0, 1)
    large = F.interpolate(unit, size=(64, 64), mode="bilinear")
    with torch.no_grad():
        return network.features(network.normalise(large))


@lru_cache(maxsize=1)
def _network() -> Any:
    from course_lib.parts.pretrained import efficientnet_lite0

    return efficientnet_lite0()


def pictures(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Panel]:
    """The patch; beside it a made one (for anomalies: the nearest healthy one); and the map."""
    panels = {
        "patch": Panel(batch["image"][:, 0], "grey", WINDOW, "HU", shared=True),
        "made": Panel(prediction["generated"][:, 0], "grey", WINDOW, "HU", shared=False),
    }
    if "map" in prediction:
        panels["map"] = Panel(prediction["map"][:, 0], "grey", (0.0, 600.0), "HU", shared=False)
    return panels


TASK = Task(
    id="augmentation",
    title="Augmentation",
    survey="2.2.1",
    headline="auc",
    metrics={
        "auc": Metric(
            "",
            "higher",
            "Area under the ROC curve: how often a random malignant (or abnormal) patch scores "
            "higher than a random benign (or healthy) one. Chance is 0.5.",
        ),
        "brier": Metric(
            "", "lower", "Squared error of the judge's probabilities; 0.5 for knowing nothing."
        ),
        "ece": Metric(
            "",
            "lower",
            "Expected calibration error, 10 bins: how far certainty differs from being right.",
        ),
        "sensitivity": Metric("", "higher", "Share of the malignant patches called malignant."),
        "specificity": Metric("", "higher", "Share of the benign patches called benign."),
        "pixel_auc": Metric(
            "",
            "higher",
            "In patches with a nodule: how often a pixel of the nodule is brighter in the anomaly "
            "map than one outside.",
        ),
        "kernel_distance": Metric(
            "",
            "lower",
            "Kernel distance of ImageNet features between made and test patches: about 0 if the "
            "two crowds look alike. Unbiased; single numbers may be negative.",
        ),
    },
    sources={
        name: ("chest_ct", "lidc_annotations", "imagenet_weights")
        for name in ("malignancy", "anomaly")
    },
    plans={
        "smoke": Plan(steps=4, batch=8, evaluations=1),
        "class": Plan(steps=800, batch=32, evaluations=2),
        "full": Plan(steps=30_000, batch=64, evaluations=10),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    lesson="02_synthesis/01_augmentation",
    own=own_cases,
    needs=("imagenet_weights",),
    asks={
        "malignancy": CLASSIFIED,
        "path:": CLASSIFIED,
        "anomaly": ("auc", "pixel_auc"),
    },
)
