"""Classic augmentation: each real patch mirrored, turned, shifted, scaled, slanted, made noisy.

Costs nothing and keeps the label, as long as the changes do: a nodule may be turned, but whoever
doubles its size makes it more malignant. How far the changes go is chosen on validation. A nodule
is pictured with 1.05 mm pixels; what comes in at a border mirrors it.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2). With `copies`, so many changed copies
of each patch are made once, and then used like real ones.

Simard, Steinkraus & Platt 2003, ICDAR, doi 10.1109/ICDAR.2003.1227801; the baseline of Frid-Adar
et al. 2018.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from course_lib.cases import Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Classical
from course_lib.parts.augment import Change
from course_lib.parts.augmentation.downstream import Judged, certain


class ClassicAugmentation(Judged, Classical):
    """Real patches, changed. `strength` multiplies how far the changes go.

    Arguments:
        copies: of each patch, made once; 0: new ones for ever.
        flip, turn_degrees, shift_pixels, scale, shear, noise: the kinds of change; see `Change`.
    """

    share = 1.0
    strength: float = 1.0
    grid: ClassVar = tuple({"strength": strength} for strength in (0.25, 0.5, 1.0, 2.0, 4.0))

    def __init__(
        self,
        copies: int = 0,
        flip: bool = True,
        turn_degrees: float = 90.0,
        shift_pixels: float = 2.0,
        scale: float = 0.1,
        shear: float = 0.1,
        noise: float = 20.0,
    ) -> None:
        if copies < 0:
            raise CourseError(f"copies must be 0 or more, not {copies}.")
        self.copies = copies
        self.kinds = Change(flip, turn_degrees, shift_pixels, scale, shear, noise)

    def prepare(self, train: Cases) -> None:
        """Keeps the training patches; no others are ever changed."""
        self.patches = train["image"], train["label"]
        self._refresh()

    def set(self, settings: Mapping[str, Any]) -> None:
        """Takes on a strength; copies are made anew."""
        super().set(settings)
        self._refresh()

    def _refresh(self) -> None:
        self.change = self.kinds.times(self.strength)
        image, label = self.patches
        if self.copies:
            generator = torch.Generator().manual_seed(0)
            image = self.change(image.repeat(self.copies, 1, 1, 1), generator)
            label = label.repeat(self.copies)
        self.remember(image, label, cases=len(self.patches[0]))

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed patches of the classes (n,): HU (n, 1, H, W) and certain labels."""
        real = self.real_of(label, generator)
        return real if self.copies else self.change(real, generator), certain(label)
