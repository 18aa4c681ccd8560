"""Segmentation of the user's own pictures with masks, in colour or grey.

A picture is a stack of one slice, so that the networks that read slices read it too; those that
need a third dimension are not asked. A pixel has no size in millimetres: distances are in pixels.
"""

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
from course_lib.tasks import own_use
from course_lib.tasks.base import Field, Panel, Plan, Splits
from course_lib.tasks.own_pictures import coloured
from course_lib.tasks.segmentation import structures
from course_lib.tasks.segmentation.structures import colour

STEP = 8  # sides are multiples of it, for networks that halve them three times
GROUPS = {"train": "training", "validation": "validation", "test": "test pictures of your own"}


class Budget(NamedTuple):
    """At most so many pictures train, validate and test, pixels along the longer side of one, and
    along the sides of the pieces that train."""

    train: int
    validation: int
    test: int
    side: int
    piece: int


BUDGETS = {
    "smoke": Budget(6, 2, 3, 64, 48),
    "class": Budget(600, 40, 300, 256, 96),
    "full": Budget(3000, 200, 2000, 512, 256),
}


def asked_of(dataset: str) -> bool:
    """Whether pictures with masks lie at `path:…`."""
    try:
        return own.reader(dataset) == "masks"
    except CourseError:
        return False


def make(dataset: str, profile: str, seed: int) -> Splits:
    """The pictures that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pictures with masks (`Masked`), in the given split, or else by subject.

    Pictures larger than the profile's budget shrink, masks with them, to the structure that covers
    most of a pixel; all get a margin to the size of the largest. Structures are numbered from the
    largest to the smallest, in the training pictures; those that only others have come last.

    Raises CourseError for anything but pictures with masks, and where training shows no structure.
    """
    data = own.expect(data, own.Masked, "segmentation of pictures")
    budget = BUDGETS[profile]
    members = own.divided(data, data.names, data.subjects)
    most = {"train": budget.train, "validation": budget.validation, "test": budget.test}
    kept = own_use.chosen(members, data.subjects, most)
    every = [k for rows in kept.values() for k in rows]
    shapes = {k: _small(data.shapes[k], budget.side) for k in every}
    height, width = (-(-max(s) // STEP) * STEP for s in zip(*shapes.values(), strict=True))
    known = getattr(data.images, "channels", None)
    channels = known or max(len(data.images[k]) for k in every)
    grid = (channels, height, width)
    made = {name: _taken(data, rows, shapes, grid) for name, rows in kept.items()}
    order, lacking = _order(data, {name: label for name, (_, label) in made.items()})
    facts = Facts(
        dims=2,
        channels=channels,
        classes=len(order) + 1,
        structures=tuple(data.structures[k - 1] for k in order),
        spacing_mm=(1.0, 1.0, 1.0),
    )
    parts = {
        name: _cases(data, rows, name, *made[name], order, facts) for name, rows in kept.items()
    }
    notes = (
        *data.told(),
        own_use.used(own_use.sizes(kept), own_use.sizes(members), "pictures"),
        _shrunk(data, shapes),
        *lacking,
    )
    return Splits(parts["train"], parts["validation"], parts["test"], notes=notes)


def _small(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is `side` at most."""
    scale = min(1.0, side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _shrunk(data: own.Masked, shapes: Mapping[int, tuple[int, int]]) -> str:
    """What became of the pictures' sizes, in a sentence."""
    changed = [k for k, shape in shapes.items() if shape != data.shapes[k]]
    if not changed:
        return "Pictures have their own size."
    pairs = sorted({(data.shapes[k], shapes[k]) for k in changed})
    said = listed((f"{a[0]} x {a[1]} became {b[0]} x {b[1]}" for a, b in pairs), 3)
    return (
        f"{len(changed)} of {len(shapes)} pictures shrank (rows x columns): {said}. Scores and "
        "pixels are those of the shrunk masks."
    )


def _taken(
    data: own.Masked,
    rows: Sequence[int],
    shapes: Mapping[int, tuple[int, int]],
    grid: tuple[int, int, int],
) -> tuple[Tensor, Tensor]:
    """Pictures (n, C, 1, H, W) and masks (n, 1, 1, H, W), each in the middle of the grid."""
    classes = len(data.structures) + 1
    image = torch.zeros(len(rows), *grid)
    label = torch.zeros(len(rows), *grid[1:], dtype=torch.uint8)
    for row, k in enumerate(rows):
        (height, width), small = shapes[k], shapes[k] != data.shapes[k]
        top, left = (grid[1] - height) // 2, (grid[2] - width) // 2
        inside = (slice(top, top + height), slice(left, left + width))
        given = torch.from_numpy(coloured(data.images[k], grid[0]))[None]
        mask = torch.from_numpy(np.ascontiguousarray(data.masks[k])).long()
        if small:
            given = _resized(given, (height, width))
            shares = F.one_hot(mask, classes).permute(2, 0, 1)[None].float()
            mask = _resized(shares, (height, width))[0].argmax(0)
        image[(row, slice(None), *inside)] = given[0]
        label[(row, *inside)] = mask.to(torch.uint8)
    return image[:, :, None], label[:, None, None]


def _resized(image: Tensor, shape: tuple[int, int]) -> Tensor:
    return F.interpolate(image, size=shape, mode="bilinear", antialias=True)


def _order(data: own.Masked, labels: Mapping[str, Tensor]) -> tuple[list[int], list[str]]:
    """The numbers of the structures, the one with the most training pixels first, and sentences on
    what is missing."""
    count = len(data.structures) + 1
    seen = {
        name: torch.bincount(each.flatten().long(), minlength=count).tolist()
        for name, each in labels.items()
    }
    there = [k for k in range(1, count) if any(each[k] for each in seen.values())]
    order = sorted(there, key=lambda k: (-seen["train"][k], k))
    if not any(seen["train"][k] for k in order):
        raise CourseError(f"The training masks in {data.source} hold nothing but background.")
    notes = []
    if unseen := [data.structures[k - 1] for k in order if not seen["train"][k]]:
        notes.append(f"Not in any training picture, so it can only be missed: {listed(unseen)}.")
    if absent := [name for k, name in enumerate(data.structures, 1) if k not in there]:
        notes.append(f"In none of the masks used: {listed(absent)}.")
    return order, notes


def _cases(
    data: own.Masked,
    rows: Sequence[int],
    name: str,
    image: Tensor,
    label: Tensor,
    order: Sequence[int],
    facts: Facts,
) -> Cases:
    """The pictures of a part, their structures in order."""
    table = torch.zeros(len(data.structures) + 1, dtype=torch.uint8)
    for new, number in enumerate(order, 1):
        table[number] = new
    return Cases(
        tensors={
            "image": image,
            "label": table[label.long()],
            "window": torch.tensor([[0.0, 1.0]]).repeat(len(rows), 1),
        },
        case=[data.names[k] for k in rows],
        subject=[data.subjects[k] for k in rows],
        group=[GROUPS[name]] * len(rows),
        spacing_mm=torch.ones(len(rows), 3),
        provenance={"image": data.provenance, "label": data.provenance},
        facts=facts,
    )


def sample(train: Cases, profile: str, count: int, generator: torch.Generator) -> Batch:
    """Random pieces of training pictures; half of them lie on a structure that is drawn first."""
    side = BUDGETS[profile].piece
    return structures.pieces(train, (1, side, side), count, generator)


def pictures(prediction: Tensor, batch: Batch, facts: Facts) -> dict[str, Panel]:
    """The picture, output and truth in colours, and which pixels are wrong."""
    image, ours, truth = batch["image"][:, :, 0], prediction[:, 0, 0], batch["label"][:, 0, 0]
    shown = 255 * image.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return {
        "input": Panel(shown, "rgb", (0.0, 255.0), "", shared=True),
        "output": Panel(colour(ours), "rgb", (0.0, 255.0), "label", shared=False),
        "truth": Panel(colour(truth), "rgb", (0.0, 255.0), "label", shared=True),
        "error": Panel((ours != truth).float(), "grey", (0.0, 1.0), "wrong", shared=False),
    }


FIELDS = structures.FIELDS | {
    "image": Field("N channels 1 H W", "0 to 1", "a picture, a stack of one slice: the input"),
    "label": replace(structures.FIELDS["label"], shape="N 1 1 H W"),
}

QUESTION = replace(
    structures.QUESTION,
    id="own_pictures",
    title="Segmentation of your own pictures",
    fields=FIELDS,
    facts={
        **structures.QUESTION.facts,
        "dims": "2: pictures",
        "channels": "1 or 3",
        "spacing_mm": "1 x 1 x 1: pixels have no size in mm",
    },
    metrics={
        name: replace(
            metric,
            unit="px" if metric.unit == "mm" else metric.unit,
            text=metric.text.replace("the stack", "the picture"),
        )
        for name, metric in structures.QUESTION.metrics.items()
    },
    sources={PATH: ()},
    asked_of=asked_of,
    plans={
        "smoke": Plan(steps=6, batch=2, evaluations=2),
        "class": Plan(steps=280, batch=8, evaluations=5, seconds=60),
        "long": Plan(steps=4200, batch=8, evaluations=12, seconds=900),
        "full": Plan(steps=30_000, batch=16, evaluations=40),
    },
    make=make,
    sample=sample,
    pictures=pictures,
    kinds=(),
)
