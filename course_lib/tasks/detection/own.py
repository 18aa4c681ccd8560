"""Detection in the user's own pictures with boxes (COCO), each picture a subject of its own.

Black is -1000 and white 400, as in a CT of the lung: a detector for lungs reads pictures too.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases, Facts, parts
from course_lib.data import own
from course_lib.tasks.base import Field, Splits
from course_lib.tasks.detection import nodules
from course_lib.tasks.detection.patients import OTHER_PATIENTS, WINDOW

LONGER_SIDE = {"smoke": 160, "class": 160, "full": 256}
STEP = 16  # sides are multiples of it, for networks that halve them four times


def make(dataset: str, profile: str, seed: int) -> Splits:
    """The pictures that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's pictures with their boxes (`Boxed`), split by picture.

    Pictures shrink to 160 pixels along the longer side (256 in `full`) and get a margin, so that
    all have one size; colours become three channels.

    Raises CourseError for anything but pictures with boxes.
    """
    data = own.expect(data, own.Boxed, "detection")
    count = len(data.images)
    image, scales = _on_one_grid(data, LONGER_SIDE[profile])
    most = max(1, *(len(boxes) for boxes in data.boxes))
    boxes, labels = torch.zeros(count, most, 4), torch.full((count, most), -1)
    for k, scale in enumerate(scales):
        boxes[k, : len(data.boxes[k])] = torch.from_numpy(data.boxes[k]) * scale
        labels[k, : len(data.boxes[k])] = torch.from_numpy(data.labels[k])
    whole = Cases(
        tensors={
            "image": image,
            "boxes": boxes,
            "labels": labels,
            "ignore": torch.zeros(count, 1, 4),
            "part": torch.zeros(count, dtype=torch.long),
        },
        case=list(data.names),
        subject=list(data.names),
        group=[OTHER_PATIENTS] * count,
        spacing_mm=torch.ones(count, 2),
        provenance={"image": data.provenance, "boxes": data.provenance},
        facts=Facts(
            dims=2,
            channels=image.shape[1],
            classes=len(data.classes),
            class_names=data.classes,
            window=WINDOW,
        ),
    )
    return Splits(*(whole.subset(rows) for rows in parts(whole.subject).values()))


def _on_one_grid(data: own.Boxed, long: int) -> tuple[Tensor, list[float]]:
    """All pictures (N, C, H, W) with `long` pixels along the longer side, in the corner of a grid
    that has room for each, and how much smaller each has become."""
    scales = [long / max(image.shape[1:]) for image in data.images]
    shapes = [
        [max(1, round(n * scale)) for n in image.shape[1:]]
        for image, scale in zip(data.images, scales, strict=True)
    ]
    height, width = (-(-max(sides) // STEP) * STEP for sides in zip(*shapes, strict=True))
    channels = max(len(image) for image in data.images)
    black, white = WINDOW
    grid = torch.full((len(data.images), channels, height, width), black)
    for k, (image, shape) in enumerate(zip(data.images, shapes, strict=True)):
        small = F.interpolate(
            torch.from_numpy(image)[None], size=shape, mode="bilinear", antialias=True
        )
        grid[k, :, : shape[0], : shape[1]] = (white - black) * small[0] + black
    return grid, scales


FIELDS = {name: field for name, field in nodules.FIELDS.items() if name != "nodules"} | {
    "image": Field("N channels H W", "grey", "a picture: black is -1000, white 400"),
}

QUESTION = replace(
    nodules.QUESTION,
    id="own",
    title="Detection in your own pictures",
    fields=FIELDS,
    sources={PATH: ()},
    make=make,
)
