"""Pictures of images with boxes drawn into them. Not a question itself."""

import torch
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.metrics import detection as metrics
from course_lib.parts.detection.boxes import as_lists
from course_lib.tasks.base import Panel


def pictures(prediction: dict[str, Tensor], batch: Batch, facts: Facts) -> dict[str, Panel]:
    """Input, output and truth with boxes; `error`: nodules missed (-1) and false alarms (1).

    Output boxes are those above the score that allows one false alarm per image over the set.
    """
    found, wanted = as_lists(prediction, batch)
    threshold = operating_point(found, wanted, 1.0)
    image, white = batch["image"].mean(1), facts.window[1]
    output, truth, error = image.clone(), image.clone(), torch.zeros_like(image)
    for k, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        sure = ours.boxes[ours.scores > threshold]
        frame(output[k], sure, white)
        frame(truth[k], theirs.boxes, white)
        middle = (sure[:, None, :2] + sure[:, None, 2:]) / 2
        hit = (middle >= theirs.boxes[:, :2]) & (middle < theirs.boxes[:, 2:])
        hit = hit.all(-1)
        fill(error[k], sure[~hit.any(1)], 1.0)
        fill(error[k], theirs.boxes[~hit.any(0)], -1.0)
    return {
        "input": Panel(image, "grey", facts.window, "HU", True),
        "output": Panel(output, "grey", facts.window, "HU", False),
        "truth": Panel(truth, "grey", facts.window, "HU", True),
        "error": Panel(error, "signed", (-1.0, 1.0), "missed -1, false alarm 1", False),
    }


def operating_point(found: list, wanted: list, rate: float) -> float:
    """The score above which there are at most `rate` false alarms per image."""
    alarms, _ = metrics.alarms_and_hits(found, wanted, None)
    return float(metrics.threshold(alarms, rate * len(wanted)))


def frame(image: Tensor, boxes: Tensor, value: float) -> None:
    """Draws rectangles just outside of boxes (K, 4) into an image (H, W), in place."""
    height, width = image.shape
    for top, left, bottom, right in boxes.round().long().tolist():
        rows, columns = _around(image, top, left, bottom, right)
        for row in (top - 1, bottom):
            if 0 <= row < height:
                image[row, columns] = value
        for column in (left - 1, right):
            if 0 <= column < width:
                image[rows, column] = value


def fill(image: Tensor, boxes: Tensor, value: float) -> None:
    """Fills boxes (K, 4) and their frames in an image (H, W), in place."""
    for box in boxes.round().long().tolist():
        image[_around(image, *box)] = value


def _around(image: Tensor, top: int, left: int, bottom: int, right: int) -> tuple[slice, slice]:
    """Rows and columns of a box with its frame."""
    height, width = image.shape
    return (
        slice(max(0, top - 1), min(height, bottom + 1)),
        slice(max(0, left - 1), min(width, right + 1)),
    )
