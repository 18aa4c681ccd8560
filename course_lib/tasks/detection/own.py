"""Detection in the user's own pictures with boxes (COCO, Pascal VOC, YOLO).

Black is -1000 and white 400, as in a CT of the lung: a detector for lungs reads pictures too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Batch, Cases, Facts
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.metrics import detection as metrics
from course_lib.parts.detection.boxes import as_lists
from course_lib.tasks import own_pictures, own_use
from course_lib.tasks.base import Field, Metric, Panel, Splits
from course_lib.tasks.detection import anchor_sides, drawn_boxes, nodules
from course_lib.tasks.detection.patients import WINDOW, share

STEP = 16  # sides are multiples of it, for networks that halve them four times
SMALLEST = 6.0  # pixels that the shorter side of a small box should have
MOST_CLASSES = 20  # that have a column of their own
GROUPS = {"train": "training", "validation": "validation", "test": "test pictures of your own"}


class Budget(NamedTuple):
    """At most so many pictures train, validate and test, and from how many to how many pixels the
    longer side of a picture has."""

    train: int
    validation: int
    test: int
    sides: tuple[int, int]


BUDGETS = {
    "smoke": Budget(24, 8, 8, (160, 160)),
    "class": Budget(2000, 100, 2000, (160, 320)),
    "full": Budget(20_000, 1000, 20_000, (256, 640)),
}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """The pictures that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pictures with their boxes (`Boxed`), in the given split, or else by subject.

    All pictures get the same longer side, in which small boxes keep 6 pixels as far as the
    profile allows, and a margin, so that all have one size; colours become three channels.

    Raises CourseError for anything but pictures with boxes, and for a part without a box.
    """
    data = own.expect(data, own.Boxed, "detection")
    members = own.divided(data, data.names, data.subjects)
    budget = BUDGETS[profile]
    most = {"train": budget.train, "validation": budget.validation, "test": budget.test}
    kept = own_use.chosen(members, data.subjects, most)
    lacking = _classes(data, kept)
    long = _longer_side(data, kept["train"], budget.sides)
    grid = _grid(data, [k for rows in kept.values() for k in rows], long)
    boxes = [_scaled(data, k, long) for k in kept["train"]]
    found = torch.cat(boxes), torch.cat([torch.from_numpy(data.labels[k]) for k in kept["train"]])
    anchors = anchor_sides.fitting(*found)
    facts = Facts(
        dims=2,
        channels=grid[0],
        classes=len(data.classes),
        class_names=data.classes,
        window=WINDOW,
        anchor_sides=anchors.sides,
        anchor_ratios=anchors.ratios,
        proposal_sides=anchors.proposed,
        most_boxes=max(map(len, boxes)),
    )
    made = {name: _part(data, rows, name, long, grid, facts) for name, rows in kept.items()}
    shapes = [_shape(data, k) for rows in kept.values() for k in rows]
    notes = (
        *data.told(),
        own_use.used(own_use.sizes(kept), own_use.sizes(members), "pictures"),
        own_pictures.longer(shapes, long),
        *lacking,
    )
    return Splits(made["train"], made["validation"], made["test"], notes=notes)


def _classes(data: own.Boxed, kept: Mapping[str, Sequence[int]]) -> list[str]:
    """Sentences on classes that a part lacks.

    Raises CourseError where a part has no box at all: then no score is defined.
    """
    notes = []
    for name, rows in kept.items():
        present = {int(label) for k in rows for label in data.labels[k]}
        if not present:
            raise CourseError(
                f"None of the {len(rows)} {name} pictures of {data.source} has a box, so there is "
                "nothing to find in them and no score. Give another split with --split."
            )
        if lacking := [each for k, each in enumerate(data.classes) if k not in present]:
            notes.append(f"No {name} picture shows {listed(lacking)}.")
    return notes


def _shape(data: own.Boxed, place: int) -> tuple[int, int]:
    known = getattr(data.images, "shapes", None)
    return known[place] if known else data.images[place].shape[-2:]


def _longer_side(data: own.Boxed, rows: Sequence[int], limits: tuple[int, int]) -> int:
    """Pixels along the longer side in which a box that is smaller than 95 % of the others has
    SMALLEST ones across, between the limits."""
    parts = [
        (box[2:] - box[:2]).min() / max(_shape(data, k)) for k in rows for box in data.boxes[k]
    ]
    small = float(torch.tensor(parts).quantile(0.05))
    return min(max(math.ceil(SMALLEST / small / STEP) * STEP, limits[0]), limits[1])


def _small(data: own.Boxed, place: int, long: int) -> tuple[int, int]:
    """Height and width of a picture on the grid."""
    height, width = _shape(data, place)
    scale = long / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _grid(data: own.Boxed, rows: Sequence[int], long: int) -> tuple[int, int, int]:
    """Channels, height and width of a grid that has room for each of the pictures."""
    shapes = [_small(data, k, long) for k in rows]
    height, width = (-(-max(sides) // STEP) * STEP for sides in zip(*shapes, strict=True))
    known = getattr(data.images, "channels", None)
    return known or max(len(data.images[k]) for k in rows), height, width


def _scaled(data: own.Boxed, place: int, long: int) -> Tensor:
    """A picture's boxes on the grid."""
    height, width = _shape(data, place)
    rows, columns = _small(data, place, long)
    scale = torch.tensor([rows / height, columns / width] * 2)
    return torch.from_numpy(data.boxes[place]) * scale


def _part(
    data: own.Boxed,
    rows: Sequence[int],
    name: str,
    long: int,
    grid: tuple[int, int, int],
    facts: Facts,
) -> Cases:
    """The pictures of a part, each in the corner of the grid."""
    count = len(rows)
    most = max(1, *(len(data.boxes[k]) for k in rows), 1)
    black, white = WINDOW
    image = torch.full((count, *grid), black)
    boxes, labels = torch.zeros(count, most, 4), torch.full((count, most), -1)
    for row, k in enumerate(rows):
        shape = _small(data, k, long)
        given = torch.from_numpy(own_pictures.coloured(data.images[k], grid[0]))[None]
        small = F.interpolate(given, size=shape, mode="bilinear", antialias=True)[0]
        image[row, :, : shape[0], : shape[1]] = (white - black) * small + black
        boxes[row, : len(data.boxes[k])] = _scaled(data, k, long)
        labels[row, : len(data.boxes[k])] = torch.from_numpy(data.labels[k])
    return Cases(
        tensors={
            "image": image,
            "boxes": boxes,
            "labels": labels,
            "ignore": torch.zeros(count, 1, 4),
            "part": torch.zeros(count, dtype=torch.long),
        },
        case=[data.names[k] for k in rows],
        subject=[data.subjects[k] for k in rows],
        group=[GROUPS[name]] * count,
        spacing_mm=torch.ones(count, 2),
        provenance={"image": data.provenance, "boxes": data.provenance},
        facts=facts,
    )


def score(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Tensor]:
    """COCO's average precision, that of each class, and FROC, as each case's share."""
    found, wanted = as_lists(prediction, batch)
    scores = {
        "mean_average_precision": metrics.mean_average_precision_per_case(found, wanted),
        "average_precision_50": metrics.mean_average_precision_per_case(found, wanted, (0.5,)),
        "froc": metrics.froc_per_case(found, wanted),
    }
    for number, name in enumerate(of_classes(facts)):
        ours, theirs = (metrics.of_class(each, number) for each in (found, wanted))
        scores[name] = metrics.mean_average_precision_per_case(ours, theirs, (0.5,))
    return {name: 100 * values.float().cpu() for name, values in scores.items()}


def of_classes(facts: Facts) -> dict[str, Metric]:
    """The metric of each class; none where there is one class, or very many."""
    names = facts.class_names if 1 < facts.classes <= MOST_CLASSES else ()
    return {
        f"average_precision_50_{key}": replace(
            share(f"AP50 of {name!r} alone.", "found"), name=f"AP50 of {name}"
        )
        for key, name in zip(own_pictures.keys(names), names, strict=True)
    }


def pictures(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Panel]:
    """As of nodules, but without a unit."""
    found = drawn_boxes.pictures(prediction, batch, facts)
    return {n: replace(p, unit="" if p.unit == "HU" else p.unit) for n, p in found.items()}


FIELDS = {name: field for name, field in nodules.FIELDS.items() if name != "nodules"} | {
    "image": Field("N channels H W", "grey", "a picture: black is -1000, white 400"),
}
METRICS = {
    "mean_average_precision": replace(
        share(
            "COCO's average precision: the area under the precision-recall curve, mean over "
            "classes and over the overlaps (IoU) of 0.50, 0.55 … 0.95 that make a hit.",
            "found_in_classes",
        ),
        name="mAP",
    ),
    "average_precision_50": replace(
        share("The same where an overlap (IoU) of 0.5 makes a hit.", "found_in_classes"),
        name="AP50",
    ),
    "froc": share(
        "FROC score: mean share of the things found at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms "
        "per picture, whatever their class. Found: the middle of a box lies in the thing's box.",
        "found",
    ),
}

PIXELS = 8 * nodules.PIXELS * nodules.PIXELS
"""Of the images of a step on the course's own data."""

QUESTION = replace(
    nodules.QUESTION,
    id="own",
    title="Detection in your own pictures",
    fields=FIELDS,
    facts={
        **nodules.QUESTION.facts,
        "anchor_sides": "sides of anchors in pixels, on maps of strides 4, 8 and 16",
        "anchor_ratios": "their ratios of height to width",
        "proposal_sides": "sides of anchors on the finest map alone",
        "most_boxes": "in a training picture",
    },
    headline="mean_average_precision",
    metrics=METRICS,
    metrics_of=lambda facts: METRICS | of_classes(facts),
    sources={PATH: ()},
    plans={
        **nodules.QUESTION.plans,
        "class": replace(nodules.QUESTION.plans["class"], steps=800, seconds=110, pixels=PIXELS),
        "long": replace(nodules.QUESTION.plans["long"], pixels=PIXELS),
    },
    make=make,
    score=score,
    pictures=pictures,
)
