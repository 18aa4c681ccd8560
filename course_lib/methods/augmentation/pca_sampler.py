"""PCA sampler: what a generator without a network makes, the least a GAN must beat.

For each class, the changed training patches x are described by their mean μ and the k directions
u_i of largest variance λ_i; a new patch is

    x = μ + Σ_i z_i √λ_i u_i      with z ~ N(0, 1)

Averages and eigenvectors are smooth, and so are its pictures. The judge gets half of them and half
classically augmented real patches, like that of `liver_dcgan`; k is chosen on validation.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2) and generated patches in HU.

Pearson 1901, Philosophical Magazine, doi 10.1080/14786440109462720.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Cases
from course_lib.methods.base import Classical
from course_lib.parts.augment import Change
from course_lib.parts.augmentation.downstream import Judged, certain
from course_lib.parts.hounsfield import from_lung_range, lung_range

COPIES = 10


class PCASampler(Judged, Classical):
    """A Gaussian of `components` directions for each class."""

    change = Change()
    components: int = 16
    grid: ClassVar = tuple({"components": components} for components in (4, 16, 64))

    def prepare(self, train: Cases) -> None:
        """Finds mean and directions of each class in its classically changed patches."""
        self.remember(train["image"], train["label"])
        generator = torch.Generator().manual_seed(0)
        self.classes = []
        for label in (0, 1):
            own = self.real[self.label == label].repeat(COPIES, 1, 1, 1)
            rows = lung_range(self.change(own, generator)).flatten(1)
            mean = rows.mean(0)
            _, spread, directions = torch.linalg.svd(rows - mean, full_matrices=False)
            self.classes.append((mean, spread / len(rows) ** 0.5, directions))

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on a number of components."""
        super().set(settings)
        self.forget_judges()

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Made patches of the classes (n,): HU (n, 1, H, W) and certain labels."""
        k = min(self.components, *(len(spread) for _, spread, _ in self.classes))
        z = torch.randn(len(label), k, generator=generator).to(self.real)
        both = torch.stack(
            [mean + (z * spread[:k]) @ rows[:k] for mean, spread, rows in self.classes]
        )
        made = both[label, torch.arange(len(label))].unflatten(1, self.real.shape[1:])
        return from_lung_range(made.clamp(-1, 1)), certain(label)
