"""Blobs: whatever is brighter than its surroundings at the size of a nodule.

    b = −σ² ∇²(G_σ * x),   p = 1 / (1 + exp(−(max b − t) / w))

The Laplacian of a Gaussian answers most to bright discs of radius σ √2 (Lindeberg 1998, IJCV,
doi 10.1023/A:1008045108935). The threshold t lies between the mean answers to training images with
and without a nodule, w is a quarter of their distance; σ is chosen on validation. No outline is
used. Images (N, 1, H, W) HU, maps (N, 1, H, W): b over its highest value.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical
from course_lib.parts.frontier.reader import two
from course_lib.physics.ct_site import blurred

EDGE = 4  # pixels at the border, whose surroundings are unknown


class BlobFilter(Classical):
    """The floor for everything that has learnt. `size`: σ in pixels."""

    size: float = 3.0
    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple({"size": s} for s in (1.5, 2.5, 4.0, 6.0))

    def build(self, facts: Facts) -> None:
        """Forgets the training images and the threshold."""
        self.known: tuple[Tensor, Tensor] | None = None
        self.border, self.width = 300.0, 100.0

    def prepare(self, train: Cases) -> None:
        """Remembers the training images and which of them hold a nodule."""
        self.known = train["image"], train["label"] == 1
        self.set({})

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on a size and finds the threshold for it."""
        super().set(settings)
        if self.known is not None:
            image, nodule = self.known
            highest = self.answer(image).amax((1, 2, 3))
            yes, no = highest[nodule].mean(), highest[~nodule].mean()
            self.border = float(yes + no) / 2
            self.width = max(float(yes - no) / 4, 1.0)

    def answer(self, image: Tensor) -> Tensor:
        """b of (N, 1, H, W) HU, never negative, 0 at the border; a difference of two Gaussians."""
        image = image.float().clamp(*self.facts.window)
        wider = 1.1 * self.size
        found = (blurred(image, self.size) - blurred(image, wider)) / 0.1
        inside = torch.zeros_like(found)
        middle = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
        inside[middle] = found[middle].relu()
        return inside

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """How far the strongest blob stands out, and where blobs are."""
        heat = self.answer(batch["image"])
        highest = heat.amax((1, 2, 3))
        heat = heat / highest.view(-1, 1, 1, 1).clamp_min(1e-6)
        return {
            "probability": two(torch.sigmoid((highest - self.border) / self.width)),
            "map": heat,
            "randomised": heat.clone(),
        }
