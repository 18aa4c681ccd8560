"""Slices with boxes drawn into them. Not a task itself."""

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.metrics import detection as metrics
from course_lib.parts.detection.boxes import as_lists
from course_lib.tasks.base import Panel

WINDOW = (-1000.0, 400.0)


def pictures(prediction: dict[str, Tensor], batch: Batch) -> dict[str, Panel]:
    """Input, output and truth with boxes; `error`: nodules missed (-1) and false alarms (1).

    Output boxes are those above the score that allows one false alarm per image over the set.
    """
    found, wanted = as_lists(prediction, batch)
    threshold = operating_point(found, wanted, 1.0)
    image = batch["image"].mean(1)
    output, truth, error = image.clone(), image.clone(), torch.zeros_like(image)
    for k, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        sure = ours.boxes[ours.scores > threshold]
        draw(output[k], sure)
        draw(truth[k], theirs.boxes)
        middle = (sure[:, None, :2] + sure[:, None, 2:]) / 2
        hit = (middle >= theirs.boxes[:, :2]) & (middle < theirs.boxes[:, 2:])
        hit = hit.all(-1)
        draw(error[k], sure[~hit.any(1)], 1.0, filled=True)
        draw(error[k], theirs.boxes[~hit.any(0)], -1.0, filled=True)
    return {
        "input": Panel(image, "grey", WINDOW, "HU", True),
        "output": Panel(output, "grey", WINDOW, "HU", False),
        "truth": Panel(truth, "grey", WINDOW, "HU", True),
        "error": Panel(error, "signed", (-1.0, 1.0), "missed -1, false alarm 1", False),
    }


def operating_point(found: list, wanted: list, rate: float) -> float:
    """The score above which there are at most `rate` false alarms per image."""
    alarms, _ = metrics.alarms_and_hits(found, wanted, None)
    return float(metrics.threshold(alarms, rate * len(wanted)))


def draw(image: Tensor, boxes: Tensor, value: float = WINDOW[1], filled: bool = False) -> None:
    """Draws rectangles (K, 4) into an image (H, W), in place; frames lie just outside the box."""
    height, width = image.shape
    for top, left, bottom, right in boxes.round().long().tolist():
        rows = slice(max(0, top - 1), min(height, bottom + 1))
        columns = slice(max(0, left - 1), min(width, right + 1))
        if filled:
            image[rows, columns] = value
            continue
        for row in (top - 1, bottom):
            if 0 <= row < height:
                image[row, columns] = value
        for column in (left - 1, right):
            if 0 <= column < width:
                image[rows, column] = value
