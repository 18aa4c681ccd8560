"""Detection of nodules (survey section 4.2): where in this slice of lung is a nodule?

Slices are pieces of real CT, 128 mm wide, with nodules of up to three put in: outlines drawn by
radiologists, density by their ratings. What is measured: the lungs and the outlines. What is
simulated: the nodules' CT numbers and where they lie. Patients and parts are those of `patients`;
`own.py` asks the same of the user's pictures.

The tumours of the patients who are only tested on are in an `ignore` box: what is found there does
not count. Nobody has looked for further small nodules in these four scans, so a few false alarms
may be none.
"""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.metrics import detection as metrics
from course_lib.parts.detection.boxes import as_lists
from course_lib.tasks.base import Field, Plan, Question, Splits
from course_lib.tasks.detection import drawn_boxes, patients
from course_lib.tasks.detection.patients import LIDC, Site, Size, share

PIXELS = 128
OVERLAP = 0.2  # small nodules: a pixel more on each side of 5 halves the IoU
SIZES = {
    "smoke": Size(6, 2, 2, 1),
    "class": Size(240, 32, 24, 20),
    "full": Size(4000, 200, 100, 100),
}


@lru_cache(maxsize=1)
def make(dataset: str, profile: str, seed: int) -> Splits:
    """Puts nodules into the lungs. The latest cases are kept, because a lesson asks for the same
    ones several times."""
    return patients.splits(cases, SIZES[profile], seed, others=dataset != "chest_ct/nodules")


def cases(site: Site) -> Cases:
    """Slices of one patient's lung with nodules put in. The subject is the patient of the lung."""
    from course_lib.data.lesions.slices import nodule_slices

    found = nodule_slices(site.ground, site.rows, site.drawer, site.count, PIXELS, site.generator)
    rows = found.pop("row").tolist()
    return Cases(
        tensors=found | {"part": site.part},
        case=[f"{site.place}/{k:04d}/z{row:03d}" for k, row in enumerate(rows)],
        subject=[site.subject] * site.count,
        group=[site.group] * site.count,
        spacing_mm=torch.ones(site.count, 2),
        provenance={
            "image": "measured lung; nodules simulated from measured outlines and ratings",
            "boxes": "measured outlines, resampled and put in",
        },
        facts=Facts(dims=2, channels=1, classes=1, class_names=("nodule",), window=patients.WINDOW),
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Whole training slices, drawn at random, half of them mirrored each way."""
    batch = train.batch(random_index(train, count, generator))
    height, width = batch["image"].shape[-2:]
    flip = torch.rand(2, count, generator=generator).to(batch["image"]) < 0.5
    there = (batch["labels"] >= 0)[..., None]
    for axis, extent in ((0, height), (1, width)):
        chosen = flip[axis]
        image, boxes = batch["image"], batch["boxes"]
        batch["image"] = torch.where(chosen[:, None, None, None], image.flip(axis + 2), image)
        mirrored = boxes.clone()
        mirrored[..., axis], mirrored[..., axis + 2] = (
            extent - boxes[..., axis + 2],
            extent - boxes[..., axis],
        )
        batch["boxes"] = torch.where(chosen[:, None, None] & there, mirrored, boxes)
    return batch


def score(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """FROC, average precision and recall; each group of test patients is a set of its own."""
    found, wanted = as_lists(prediction, batch)

    def judged(chosen: list[int]) -> dict[str, Tensor]:
        ours, theirs = [found[k] for k in chosen], [wanted[k] for k in chosen]
        return {
            "froc": 100 * metrics.froc_per_case(ours, theirs),
            "average_precision": 100 * metrics.average_precision_per_case(ours, theirs, OVERLAP),
            "average_precision_50": 100 * metrics.average_precision_per_case(ours, theirs, 0.5),
            "recall": 100 * metrics.recall_per_case(ours, theirs),
        }

    return patients.in_groups(batch["part"], judged)


def truth(batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """The answer of who knows the truth."""
    score = torch.where(batch["labels"] >= 0, 1.0, -torch.inf)
    return {"boxes": batch["boxes"], "scores": score, "labels": batch["labels"]}


def evidence(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """How many things of each class there are to be found in each image."""
    labels = batch["labels"]
    classes = max(1, int(labels.max()) + 1)
    return {"targets": torch.stack([(labels == c).sum(1) for c in range(classes)], 1)}


FIELDS = {
    "image": Field("N channels H W", "HU", "a piece of a slice, a millimetre a pixel"),
    "boxes": Field(
        "N boxes 4",
        "pixels",
        "top, left, bottom, right of what is there; zeros after the last",
        answer=True,
    ),
    "labels": Field(
        "N boxes", "class", "what each is; -1 after the last", dtype="int64", answer=True
    ),
    "ignore": Field(
        "N ignored 4", "pixels", "boxes in which nothing counts; zeros: none", answer=True
    ),
    "nodules": Field(
        "N boxes", "number", "LIDC patient of each nodule; -1: none", dtype="int64", answer=True
    ),
    "part": Field("N", "group", "1: other patients, 0: the same patient", dtype="int64"),
}

QUESTION = Question(
    id="nodules",
    title="Detection of nodules in slices of lung",
    fields=FIELDS,
    facts={
        "dims": "2: slices",
        "channels": "of an image",
        "classes": "how many kinds of things are looked for",
        "class_names": "what they are called",
        "window": "values that are shown black and white; beyond them networks see no difference",
    },
    headline="froc",
    metrics={
        "froc": share(
            "FROC score: mean share of nodules found at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms "
            "per image. Found: the middle of a box lies in the nodule's box.",
            "found",
        ),
        "average_precision": share(
            "Area under the precision-recall curve; found: IoU of 0.2 or more (nodules are small).",
            "found_in_classes",
        ),
        "average_precision_50": share(
            "The same with an IoU of 0.5 or more: well-fitting boxes.", "found_in_classes"
        ),
        "recall": share("Share of an image's nodules found at 1 false alarm per image."),
    },
    sources={
        "chest_ct+lung_tumours/nodules": (*LIDC, "lung_tumours"),
        "chest_ct/nodules": LIDC,
    },
    plans={
        "smoke": Plan(steps=3, batch=2, evaluations=1),
        "class": Plan(steps=250, batch=8, evaluations=4, seconds=60),
        "long": Plan(steps=3750, batch=8, evaluations=12, seconds=900),
        "full": Plan(steps=30_000, batch=16, evaluations=30),
    },
    make=make,
    sample=sample,
    score=score,
    pictures=drawn_boxes.pictures,
    truth=truth,
    evidence=evidence,
)
