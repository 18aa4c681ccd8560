"""Non-local means: each pixel becomes a mean of pixels whose surroundings look alike.

û(i) = Σ_j w(i, j) u(j),  w ∝ exp(-||P_i - P_j||² / h²), P: patches.
Buades, Coll & Morel 2005, CVPR, doi 10.1109/CVPR.2005.38. scikit-image's fast implementation.
"""

from typing import ClassVar

import numpy as np
import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class NonLocalMeans(Classical):
    """(N, 1, H, W) HU → the same shape. `strength_hu`: h; `patch`: side of P in pixels."""

    strength_hu: float = 40.0
    patch: int = 5
    distance: int = 7
    grid: ClassVar = tuple(
        {"strength_hu": strength, "patch": patch}
        for strength in (20.0, 30.0, 45.0, 65.0, 95.0)
        for patch in (3, 5)
    )

    def predict(self, batch: Batch) -> Tensor:
        """The filtered scan."""
        image = batch["low_dose"]
        slices = [
            denoise_nl_means(
                one, patch_size=self.patch, patch_distance=self.distance, h=self.strength_hu
            )
            for one in image[:, 0].cpu().numpy()
        ]
        return torch.from_numpy(np.stack(slices)).to(image)[:, None]
