"""Total variation: the image near the scan whose gradients are smallest in sum.

min_u ½ ||u - f||² + λ Σ |∇u|. Rudin, Osher & Fatemi 1992, Physica D,
doi 10.1016/0167-2789(92)90242-F. Chambolle's algorithm (2004, Journal of Mathematical Imaging and
Vision, doi 10.1023/B:JMIV.0000011325.36760.1e) in scikit-image.
"""

from typing import ClassVar

import numpy as np
import torch
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class TotalVariation(Classical):
    """(N, 1, H, W) HU → the same shape. `weight_hu`: λ."""

    weight_hu: float = 20.0
    grid: ClassVar = tuple({"weight_hu": weight} for weight in (10.0, 15.0, 22.0, 33.0, 50.0, 75.0))

    def predict(self, batch: Batch) -> Tensor:
        """The smoothed scan."""
        image = batch["low_dose"]
        slices = [
            denoise_tv_chambolle(one, weight=self.weight_hu, max_num_iter=100)
            for one in image[:, 0].cpu().numpy()
        ]
        return torch.from_numpy(np.stack(slices)).to(image)[:, None]
