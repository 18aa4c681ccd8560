"""Augmentation: pictures that nobody took, and what they are good for (survey section 2.2.1).

A patch shows a lung nodule that is benign or malignant in the mean opinion of at least three
radiologists; few of them are labelled. A method makes further training pictures. The judge, a small
classifier that is the same for all methods, learns from them and is tested on nodules of other
patients. Half of all cases are malignant, so that accuracy by chance is one half.

How much the made pictures differ from real ones is measured as a kernel distance of ImageNet
features. It has no bias for small sets, unlike the Fréchet distance, which is above zero between
two sets of real pictures, about as much as one over their number.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.metrics import classification
from course_lib.metrics.generation import kernel_distance_per_case
from course_lib.parts.efficientnet_lite import EfficientNetLite0
from course_lib.parts.intensity import unit_range
from course_lib.parts.pretrained import efficientnet_lite0
from course_lib.tasks.augmentation import lung_patches
from course_lib.tasks.augmentation.lung_patches import PLANS, SIZES, WINDOW
from course_lib.tasks.base import Field, Metric, Panel, Question, Splits

OTHER_PATIENTS = "nodules of other patients"
FACTS = Facts(
    dims=2,
    channels=1,
    side=lung_patches.SIZE,
    classes=("benign", "malignant"),
    window=WINDOW,
    hounsfield=True,
)


@lru_cache(maxsize=2)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """The patches. Patients are split once and for all; the seed decides which nodules of the
    training patients are labelled. The latest cases are kept, because a lesson asks for the same
    ones several times."""
    size = SIZES[profile]
    train = lung_patches.part("train", size.pool, size.healthy)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(size.pool, generator=generator)[: size.labelled]
    index = torch.stack([2 * order, 2 * order + 1], 1).flatten().tolist()
    held = (
        ("validation", size.validation, "validation"),
        ("test", size.test, OTHER_PATIENTS),
    )
    return Splits(
        labelled(train.image, train.label, train.nodule, "training", FACTS).subset(index),
        *(
            labelled(part.image, part.label, part.nodule, group, FACTS)
            for part, group in (
                (lung_patches.part(name, count, 0), group) for name, count, group in held
            )
        ),
    )


def labelled(image: Tensor, label: Tensor, names: Sequence[str], group: str, facts: Facts) -> Cases:
    """Patches (N, 1, 32, 32) with labels (N,) as Cases.

    `draw` and `wanted` say which picture a method is to make beside each case: the seed, and the
    class, which alternates whatever the case's own class is.
    """
    number = torch.arange(len(image))
    tensors = {"image": image, "label": label, "draw": number, "wanted": number % 2}
    return lung_patches.as_cases(tensors, names, group, facts)


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


def score(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Shares of the AUC, the scores of probabilities, and the distance of the made pictures, which
    a single one does not have."""
    label, probabilities = batch["label"], prediction["probabilities"]
    hit = classification.correct(probabilities, label)
    distance = torch.full_like(hit, torch.nan)
    if len(label) > 1:
        pictures = batch["image"], prediction["generated"]
        distance = kernel_distance_per_case(*(image_features(x, facts.window) for x in pictures))
    return {
        "auc": classification.auc_per_case(probabilities, label),
        "brier": classification.brier(probabilities, label),
        "ece": classification.calibration_per_case(probabilities, label, bins=10),
        "sensitivity": hit.masked_fill(label != 1, torch.nan),
        "specificity": hit.masked_fill(label != 0, torch.nan),
        "kernel_distance": distance,
    }


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The answer of who knows the truth."""
    probabilities = F.one_hot(batch["label"], 2).float()
    return {"probabilities": probabilities, "generated": batch["image"]}


def evidence(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The probabilities and the true classes."""
    return {"answer": prediction["probabilities"], "label": batch["label"]}


def image_features(image: Tensor, window: tuple[float, float]) -> Tensor:
    """(N, 1, H, W) → (N, 1280), of pictures in this window, enlarged to 64 pixels."""
    network = _network().to(image.device)
    large = F.interpolate(unit_range(image, window), size=(64, 64), mode="bilinear")
    with torch.no_grad():
        return network.features(network.normalise(large))


@lru_cache(maxsize=1)
def _network() -> EfficientNetLite0:
    return efficientnet_lite0()


def pictures(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The patch, and beside it a made one."""
    unit = "HU" if facts.hounsfield else ""
    shown = {"patch": batch["image"], "made": prediction["generated"]}
    return {
        name: Panel(image[:, 0], "grey", facts.window, unit, shared=name == "patch")
        for name, image in shown.items()
    }


QUESTION = Question(
    id="malignancy",
    title="Augmentation: few labelled nodules",
    fields={
        "image": Field("N 1 H H", "HU", "a patch of lung with a nodule in its middle"),
        "label": Field("N", "class", "which of the two it is", dtype="int64", answer=True),
        "draw": Field("N", "seed", "of the picture to be made beside the case", dtype="int64"),
        "wanted": Field("N", "class", "of that picture", dtype="int64"),
    },
    facts={
        "dims": "2: pictures",
        "channels": "1",
        "side": "pixels along a side of a picture",
        "classes": "the names of classes 0 and 1",
        "window": "values that are shown black and white",
        "hounsfield": "whether values are HU; if not, grey values fill the window",
    },
    headline="auc",
    metrics={
        "auc": Metric(
            "",
            "higher",
            "Area under the ROC curve: how often a random patch of class 1 (malignant) scores "
            "higher than a random one of class 0 (benign). Chance is 0.5.",
            of_set="auc",
        ),
        "brier": Metric(
            "", "lower", "Squared error of the judge's probabilities; 0.5 for knowing nothing."
        ),
        "ece": Metric(
            "",
            "lower",
            "Expected calibration error, 10 bins: how far certainty differs from being right.",
            of_set="ece 10",
        ),
        "sensitivity": Metric("", "higher", "Share of class 1 (malignant) that is called so."),
        "specificity": Metric("", "higher", "Share of class 0 (benign) that is called so."),
        "kernel_distance": Metric(
            "",
            "lower",
            "Kernel distance of ImageNet features between made and test patches: about 0 if the "
            "two crowds look alike. Unbiased; single numbers may be negative.",
        ),
    },
    sources={"malignancy": ("chest_ct", "lidc_annotations", "imagenet_weights")},
    plans=PLANS,
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    evidence=evidence,
)
