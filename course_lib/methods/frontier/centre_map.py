"""The middle of the image: what a map is worth that never looks at it.

    m(y, x) = exp(−r² / 2σ²),   r the distance from the middle

Radiologists frame what matters, so the middle is a good guess. Images (N, 1, H, W) HU, maps
(N, 1, H, W). It has no classifier: every probability is one half.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.frontier.reader import two


class CentreMap(Classical):
    """A Gaussian. `width`: σ as a share of the side."""

    width: float = 0.2
    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple({"width": w} for w in (0.05, 0.1, 0.2, 0.4))

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The same map for all; with other weights, if it had any, still the same."""
        image = batch["image"]
        y, x = (torch.linspace(-0.5, 0.5, n, device=image.device) for n in image.shape[2:])
        heat = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * self.width**2))
        heat = heat.expand(image.shape).clone()
        half = torch.full((len(image),), 0.5, device=image.device)
        return {"probability": two(half), "map": heat, "randomised": heat.clone()}
