"""Is there something in this patch that does not belong? Only healthy lung is there to learn from.

Each test place is shown twice, as it was and with a nodule. All lung is of one scan, so training
and test share the patient: training lies in the left lung, test in the right one.
"""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import classification
from course_lib.tasks.augmentation import lung_patches
from course_lib.tasks.augmentation.lung_patches import BACKGROUND, PLANS, SIZES, WINDOW
from course_lib.tasks.base import Field, Metric, Panel, Question, Splits

SAME_PATIENT = "same patient, other lung"
FACTS = Facts(dims=2, channels=1, side=lung_patches.SIZE, window=WINDOW)
HELD = ("validation", "test")


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """The patches. All is fixed; the seed decides nothing here. The latest cases are kept, because
    a lesson asks for the same ones several times."""
    size = SIZES[profile]
    healthy = lung_patches.part("train", size.pool, size.healthy).healthy
    names = [f"{BACKGROUND}/place-{k:05d}" for k in range(len(healthy))]
    return Splits(
        lung_patches.as_cases({"image": healthy}, names, "training", FACTS),
        _pairs(lung_patches.part("validation", size.validation, 0), "validation"),
        _pairs(lung_patches.part("test", size.test, 0), SAME_PATIENT),
    )


def _pairs(part: lung_patches.Part, group: str) -> Cases:
    """Each second place (so that both classes of nodules occur) without and with its nodule."""
    keep = [k for k in range(len(part.label)) if k % 4 in (0, 3)]
    image = torch.stack([part.without[keep], part.image[keep]], 1).flatten(0, 1)
    mask = torch.stack([torch.zeros_like(part.mask[keep]), part.mask[keep]], 1).flatten(0, 1)
    names = [f"{part.nodule[k]}/{word}" for k in keep for word in ("without", "with")]
    tensors = {"image": image, "label": torch.arange(len(image)) % 2, "mask": mask}
    return lung_patches.as_cases(tensors, names, group, FACTS)


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random healthy patches."""
    return train.batch(random_index(train, count, generator))


def score(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """Shares of the AUC of the score, and the AUC of the map in each patch with a nodule."""
    value = prediction["score"]
    return {
        "auc": classification.auc_per_case(torch.stack([-value, value], 1), batch["label"]),
        "pixel_auc": _pixel_auc(prediction["map"], batch["mask"]),
    }


def evidence(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The score, for healthy and for not, and what is true."""
    value = prediction["score"]
    return {"answer": torch.stack([-value, value], 1), "label": batch["label"]}


def _pixel_auc(heat: Tensor, mask: Tensor) -> Tensor:
    """AUC of a map (N, 1, H, W) for the pixels of the nodule, (N,); nan without a nodule."""
    pairs = zip(heat.flatten(1), (mask.flatten(1) > 0.5).long(), strict=True)
    return torch.stack([classification.auc(values, inside) for values, inside in pairs])


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The answer of who knows the truth."""
    score = batch["label"].float()
    return {"score": score, "map": batch["mask"], "generated": batch["image"]}


def pictures(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The patch, the nearest healthy one that was found, and the map."""
    return {
        "patch": Panel(batch["image"][:, 0], "grey", facts.window, "HU", shared=True),
        "made": Panel(prediction["generated"][:, 0], "grey", facts.window, "HU", shared=False),
        "map": Panel(prediction["map"][:, 0], "grey", (0.0, 600.0), "HU", shared=False),
    }


QUESTION = Question(
    id="anomaly",
    title="Augmentation: what does not belong",
    fields={
        "image": Field("N 1 H H", "HU", "a patch of lung; in training, healthy lung"),
        "label": Field(
            "N", "class", "1 if a nodule was put there, or 0", HELD, dtype="int64", answer=True
        ),
        "mask": Field("N 1 H H", "share", "of a pixel inside the nodule", HELD, answer=True),
    },
    facts={
        "dims": "2: pictures",
        "channels": "1",
        "side": "pixels along a side of a picture",
        "window": "HU that are shown black and white",
    },
    headline="auc",
    metrics={
        "auc": Metric(
            "",
            "higher",
            "Area under the ROC curve: how often a random patch with a nodule scores higher than "
            "a random one without. Chance is 0.5.",
            of_set="auc",
        ),
        "pixel_auc": Metric(
            "",
            "higher",
            "In patches with a nodule: how often a pixel of the nodule is brighter in the anomaly "
            "map than one outside.",
        ),
    },
    sources={"anomaly": ("chest_ct", "lidc_annotations")},
    plans=PLANS,
    make=make,
    sample=sample,
    score=score,
    pictures=pictures,
    truth=truth,
    evidence=evidence,
)
