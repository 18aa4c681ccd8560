"""Classic augmentation: each real patch mirrored, turned, shifted, scaled, slanted, made noisy.

Costs nothing and keeps the label, as long as the changes do: a nodule may be turned, but whoever
doubles its size makes it more malignant. How far the changes go is chosen on validation. A nodule
is pictured with 1.05 mm pixels; what comes in at a border mirrors it.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2). `copies` is the number of changed
copies of each patch that are made once, and then used like real ones; 0 means new ones for ever.

Simard, Steinkraus & Platt 2003, ICDAR, doi 10.1109/ICDAR.2003.1227801; the baseline of Frid-Adar
et al. 2018.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Classical
from course_lib.parts.augment import Change
from course_lib.parts.augmentation.downstream import Judged


class ClassicAugmentation(Judged, Classical):
    """Real patches, changed. `strength` multiplies how far the changes go."""

    share = 1.0
    strength: float = 1.0
    grid: ClassVar = tuple({"strength": strength} for strength in (0.25, 0.5, 1.0, 2.0, 4.0))

    def __init__(self, copies: int = 0, **kinds: float) -> None:
        self.copies, self.kinds = copies, Change(**kinds)
        if copies < 0:
            raise TypeError(f"copies must be 0 or more, not {copies}")

    def prepare(self, train: Cases) -> None:
        """Keeps the training patches; no others are ever changed."""
        self.patches = train["image"], train["label"]
        self._refresh()

    def set(self, settings: dict[str, float]) -> None:
        """Takes on a strength; copies are made anew."""
        super().set(settings)
        self._refresh()

    def _refresh(self) -> None:
        self.change = self.kinds.times(self.strength)
        self.forget_judges()
        if not hasattr(self, "patches"):
            return
        image, label = self.patches
        if self.copies:
            generator = torch.Generator().manual_seed(0)
            image = self.change(image.repeat(self.copies, 1, 1, 1), generator)
            label = label.repeat(self.copies)
        self.remember(image, label, cases=len(self.patches[0]))

    def draw(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed patches of the classes (n,): HU (n, 1, H, W) and certain labels."""
        real = self.real_of(label, generator)
        changed = real if self.copies else self.change(real, generator)
        return changed, F.one_hot(label, 2).float()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities and pictures: see `Judged.answer`."""
        return self.answer(batch)
