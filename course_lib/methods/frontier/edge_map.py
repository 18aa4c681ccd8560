"""The image's own edges: what a map is worth that looks at the image, but at no network.

    m = |∇(G_σ * x)|

Maps that look like an edge detector's please the eye, because they show the anatomy. Adebayo et al.
2018 (NeurIPS, arXiv:1810.03292) made this the control: it cannot change when the weights do. Images
(N, 1, H, W) HU, maps (N, 1, H, W). It has no classifier: every probability is one half.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.frontier.reader import two
from course_lib.physics.ct_site import blurred


class EdgeMap(Classical):
    """The slope of the smoothed image. `smooth`: σ in pixels."""

    smooth: float = 1.5
    grid: ClassVar[tuple[dict[str, Any], ...]] = tuple({"smooth": s} for s in (0.7, 1.5, 3.0))

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The same map whatever the weights."""
        image = F.pad(blurred(batch["image"].float(), self.smooth), (1, 1, 1, 1), mode="replicate")
        down = image[..., 2:, 1:-1] - image[..., :-2, 1:-1]
        right = image[..., 1:-1, 2:] - image[..., 1:-1, :-2]
        heat = torch.hypot(down, right)
        half = torch.full((len(heat),), 0.5, device=heat.device)
        return {"probability": two(half), "map": heat, "randomised": heat.clone()}
