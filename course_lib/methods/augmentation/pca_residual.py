"""PCA residual: what a few directions of healthy lung cannot describe is held to be a lesion.

Healthy patches have a mean μ and directions U of largest variance. A patch x is described as
x̂ = μ + U Uᵀ(x - μ), and |x - x̂| is the map, its mean the score. With no direction at all it
compares with the mean healthy patch: how bright is what should be dark? k is chosen on validation.

Input (N, 1, 32, 32) HU; scores (N,) and maps in HU. The baseline that AnoGAN must beat.

Pearson 1901, Philosophical Magazine, doi 10.1080/14786440109462720.
"""

from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical
from course_lib.parts.hounsfield import from_lung_range, lung_range


class PCAResidual(Classical):
    """Distance from the `components` first directions of healthy lung."""

    components: int = 16
    grid: ClassVar = tuple({"components": components} for components in (0, 4, 16, 64, 256))

    def build(self, facts: Facts) -> None:
        """Knows no healthy patch yet."""
        pixels = facts.channels * facts.side**2
        self.mean, self.directions = torch.zeros(pixels), torch.zeros(0, pixels)

    def prepare(self, train: Cases) -> None:
        """Finds the directions of the healthy training patches."""
        rows = lung_range(train["image"]).flatten(1)
        self.mean = rows.mean(0)
        self.directions = torch.linalg.svd(rows - self.mean, full_matrices=False).Vh

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """`score`, `map` and, as `generated`, the healthy patch nearest to each."""
        image = batch["image"]
        rows = lung_range(image).flatten(1) - self.mean
        own = self.directions[: self.components]
        near = rows @ own.T @ own
        nearest = from_lung_range((near + self.mean).clamp(-1, 1)).reshape(image.shape)
        residual = 700 * (rows - near).abs().reshape(image.shape)
        return {"score": residual.mean((1, 2, 3)), "map": residual, "generated": nearest}
