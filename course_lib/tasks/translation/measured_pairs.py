"""Measured volumes of the same head in two contrasts, cut into pairs of slices."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data.volume import Volume
from course_lib.tasks.translation.pairs import HU_LIMITS


def slices(
    volume: Volume,
    target: str,
    rows: list[int],
    pixels: int,
    group: str,
    facts: Facts,
) -> Cases:
    """Slices `rows` along z of a volume and of its label `target`, on a square grid of `pixels`;
    what is not square is filled up with the lowest value of the data set's range."""
    count, (height, width) = len(rows), volume.image.shape[1:]
    side = max(height, width)
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

    low, high = facts.target_range
    source = cut(volume.image, facts.source_range[0])
    wanted = cut(volume.labels[target], low)
    head = wanted > (-500 if facts.hounsfield else low + 0.1 * (high - low))
    head |= ~head.flatten(1).any(1).view(-1, 1, 1, 1)  # a slice of nothing is scored as a whole
    return Cases(
        tensors={"source": source, "target": wanted, "head": head},
        case=[f"{volume.case}/{row:03d}" for row in rows],
        subject=[volume.subject] * count,
        group=[group] * count,
        spacing_mm=torch.full((count, 2), pixel_mm(volume, pixels)),
        provenance={"source": "measured", "target": "measured"},
        facts=facts,
    )


def pixel_mm(volume: Volume, pixels: int) -> float:
    """Side of a pixel of its slices."""
    return max(volume.spacing_mm[1:]) * max(volume.image.shape[1:]) / pixels


def spread(start: int, stop: int, count: int) -> list[int]:
    """At most `count` whole numbers, spread evenly from start to stop."""
    return sorted({round(float(k)) for k in torch.linspace(start, stop - 1, count)})


def facts_of(volumes: Iterable[Volume], target: str) -> Facts:
    """The facts of training volumes. The range of sources and of targets is that of CT where they
    are in HU, otherwise from 0, or the darkest below it, to the brightest."""
    ends, units = [], set()
    for volume in volumes:
        units.add((volume.unit, volume.target_unit))
        ends.append([(i.min(), i.max()) for i in (volume.image, volume.labels[target])])
    ranges = []
    for which, found in enumerate(zip(*ends, strict=True)):
        low, high = float(min(low for low, _ in found)), float(max(high for _, high in found))
        hu = all(each[which] == "HU" for each in units)
        ranges.append(HU_LIMITS if hu else (min(0.0, low), max(high, low + 1e-6, 1e-6)))
    source, wanted = ranges
    hounsfield = all(unit == "HU" for _, unit in units)
    return Facts(
        dims=2, channels=1, source_range=source, target_range=wanted, hounsfield=hounsfield
    )
