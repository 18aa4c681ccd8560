"""Histogram matching: the brightest source pixel gets the brightest target value, and so on.

    G(x) = F_Y⁻¹(F_X(x))

F_X and F_Y are the cumulative histograms of source and target. Needs no pairs, and cannot turn a
contrast round: whatever is darker than something else in MR stays darker in CT, bone included.
`scope`: whether F_X is that of each image or of the whole training set; chosen on validation.

Input and output (N, 1, H, W): source in its unit, target in its own.

Gonzalez & Fittes 1977, Mechanism and Machine Theory 12(1):111-122.
"""

from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Classical


def quantiles(values: Tensor, levels: int = 1001) -> Tensor:
    """The values at `levels` equal steps of the cumulative histogram, rising."""
    ordered = values.flatten().sort().values
    places = torch.linspace(0, len(ordered) - 1, levels, device=values.device)
    return ordered[places.round().long()]


class HistogramMatching(Classical):
    """A rising curve from source to target values."""

    grid: ClassVar = ({"scope": "image"}, {"scope": "set"})
    scope = "image"
    source: Tensor | None = None
    target: Tensor | None = None

    def build(self, facts: Facts) -> None:
        """Forgets the histograms."""
        self.source = self.target = None

    def prepare(self, train: Cases) -> None:
        """Keeps the histograms of all training sources and of all training targets."""
        self.source, self.target = quantiles(train["source"]), quantiles(train["target"])

    def predict(self, batch: Batch) -> Tensor:
        """The target image in its unit. Raises CourseError before `prepare`."""
        if self.source is None or self.target is None:
            raise CourseError("Histogram matching must see training cases first: call `prepare`.")
        return torch.stack([self._match(image) for image in batch["source"]])

    def _match(self, image: Tensor) -> Tensor:
        curve = quantiles(image) if self.scope == "image" else self.source.to(image)
        target, values = self.target.to(image), image.flatten().contiguous()
        above = torch.searchsorted(curve, values).clamp(1, len(curve) - 1)
        low, high = curve[above - 1], curve[above]
        share = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        matched = target[above - 1] + share * (target[above] - target[above - 1])
        return matched.view_as(image)
