"""Measured volumes of the same head in two contrasts, cut into pairs of slices."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases
from course_lib.data.volume import Volume

HU_LIMITS = (-1000.0, 1500.0)
"""The range of CT that translators learn."""


def slices(
    volume: Volume,
    target: str,
    rows: list[int],
    pixels: int,
    group: str,
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> Cases:
    """Slices `rows` along z of a volume and of its label `target`, on a square grid of `pixels`;
    what is not square is filled up with the lowest value. `limits`: of source and target."""
    count, (height, width) = len(rows), volume.image.shape[1:]
    side = max(height, width)
    spacing = max(volume.spacing_mm[1:]) * side / pixels
    margin = [side - width, side - height]
    around = [
        margin[0] // 2,
        margin[0] - margin[0] // 2,
        margin[1] // 2,
        margin[1] - margin[1] // 2,
    ]

    def cut(image, lowest: float) -> Tensor:
        found = torch.from_numpy(image[rows].astype("float32"))[:, None]
        found = F.pad(found, around, value=lowest)
        return F.interpolate(found, (pixels, pixels), mode="bilinear", antialias=True)

    pair = volume.image, volume.labels[target]
    source, wanted = (cut(image, low) for image, (low, _) in zip(pair, limits, strict=True))
    floor = limits[1][0] + 0.1 * (limits[1][1] - limits[1][0])
    head = wanted > (-500 if limits[1][0] < 0 else floor)
    head |= ~head.flatten(1).any(1).view(-1, 1, 1, 1)  # a slice of nothing is scored as a whole
    ranges = [torch.tensor(pair).expand(count, 2).clone() for pair in limits]
    return Cases(
        tensors={
            "source": source,
            "target": wanted,
            "head": head,
            "pixel_mm": torch.full((count,), spacing),
            "source_range": ranges[0],
            "target_range": ranges[1],
        },
        case=[f"{volume.subject}/{row:03d}" for row in rows],
        subject=[volume.subject] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), spacing),
        provenance={"source": "measured", "target": "measured"},
    )


def spread(start: int, stop: int, count: int) -> list[int]:
    """At most `count` whole numbers, spread evenly from start to stop."""
    return sorted({round(float(k)) for k in torch.linspace(start, stop - 1, count)})


def limits_of(
    volumes: list[Volume], target: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ranges of sources and targets: that of CT where values lie below -200, otherwise from 0
    to the brightest of the training volumes."""
    ranges = []
    for images in ([v.image for v in volumes], [v.labels[target] for v in volumes]):
        low, high = min(i.min() for i in images), max(i.max() for i in images)
        ranges.append(HU_LIMITS if low < -200 else (0.0, max(float(high), 1e-6)))
    return ranges[0], ranges[1]
