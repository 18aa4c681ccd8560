"""Pictures with boxes as a user would bring them."""

from pathlib import Path

import numpy as np

from course_lib.data.own import Boxed
from course_lib.tasks.base import Splits
from course_lib.tasks.detection import own


def pictures(count: int = 6) -> Boxed:
    """Red and blue rectangles on grey, up to three each in pictures of two sizes."""
    draw, images, boxes, labels = np.random.default_rng(0), [], [], []
    for k in range(count):
        height, width = (60, 80) if k % 2 else (80, 48)
        image = draw.normal(0.4, 0.05, (3, height, width)).clip(0, 1).astype(np.float32)
        number = (k + 1) % 4
        corner = draw.integers(4, 30, (number, 2))
        found = np.hstack([corner, corner + draw.integers(6, 16, (number, 2))])
        kinds = draw.integers(0, 2, number)
        for (top, left, bottom, right), kind in zip(found, kinds, strict=True):
            image[:, top:bottom, left:right] = 0.1
            image[2 * kind, top:bottom, left:right] = 0.9
        images.append(image)
        boxes.append(found.astype(np.float32).reshape(-1, 4))
        labels.append(kinds.astype(np.int64))
    return Boxed(
        source=Path("mine"),
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=tuple(images),
        boxes=tuple(boxes),
        labels=tuple(labels),
        classes=("red", "blue"),
        names=tuple(f"p{k}" for k in range(count)),
        subjects=tuple(f"p{k}" for k in range(count)),
    )


def own_splits() -> Splits:
    """What the question makes of them."""
    return own.own_cases(pictures(), "smoke", 0)
