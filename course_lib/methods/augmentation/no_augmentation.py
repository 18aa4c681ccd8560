"""No augmentation: the judge sees the real training patches, again and again.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2). As `generated` it shows training
patches: their distance from the test patches is what real pictures of other patients have.
"""

import torch
from torch import Tensor

from course_lib.cases import Cases
from course_lib.methods.base import Classical
from course_lib.parts.augmentation.downstream import Judged, certain


class NoAugmentation(Judged, Classical):
    """Real patches only."""

    share = 1.0

    def prepare(self, train: Cases) -> None:
        """Keeps the training patches."""
        self.remember(train["image"], train["label"])

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Real patches of the classes (n,), unchanged: HU (n, 1, H, W) and certain labels."""
        return self.real_of(label, generator), certain(label)
