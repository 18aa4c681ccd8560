"""Median filter: each pixel becomes the median of its neighbourhood.

Tukey 1977, Exploratory Data Analysis. SciPy's implementation.
"""

from typing import ClassVar

import torch
from scipy import ndimage
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class Median(Classical):
    """(N, 1, H, W) HU → the same shape. `size`: side of the neighbourhood in pixels."""

    size: int = 3
    grid: ClassVar = tuple({"size": size} for size in (3, 5, 7))

    def predict(self, batch: Batch) -> Tensor:
        """The filtered scan."""
        image = batch["low_dose"]
        filtered = ndimage.median_filter(image.cpu().numpy(), size=(1, 1, self.size, self.size))
        return torch.from_numpy(filtered).to(image.device)
