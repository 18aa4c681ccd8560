"""Intensity windows: a pixel's brightness decides its label.

The oldest segmentation, Otsu 1979, IEEE Trans. Syst. Man Cybern. 9(1), doi
10.1109/TSMC.1979.4310076, here for any number of labels and with help from the training cases: for
each of 64 brightnesses, the label that is most likely there,

    label(v) = argmax over c of  p(v | c) p(c)^s

s = 1 is the fewest wrong pixels, s = 0 gives small structures a chance. The image (N, 1, D, H, W)
is smoothed before, and only the largest connected part of the foreground may be kept, which cuts
the scalp off the brain. Smoothing, s and that choice are settled on validation.
"""

from itertools import product
from typing import ClassVar

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical
from course_lib.parts.segmentation.stacks import standardise

BINS = 64


class IntensityWindows(Classical):
    """Labels (N, 1, D, H, W) by brightness. `smoothing`: pixels, in-plane; `prior`: s."""

    smoothing: float = 0.0
    prior: float = 1.0
    largest: bool = False
    grid: ClassVar = tuple(
        {"smoothing": s, "prior": p, "largest": c}
        for s, p, c in product((0.0, 0.7), (1.0, 0.5, 0.0), (False, True))
    )

    def build(self, facts: Facts) -> None:
        """Forgets the training cases."""
        self.counts: dict[float, np.ndarray] = {}

    def prepare(self, train: Cases) -> None:
        """Counts how often each brightness occurs in each label."""
        classes, label = self.facts.classes, train["label"].cpu().numpy().ravel()
        for smoothing in {settings["smoothing"] for settings in self.grid}:
            bins = self._bins(train.tensors, smoothing).ravel()
            found = np.bincount(label.astype(np.int64) * BINS + bins, minlength=classes * BINS)
            self.counts[smoothing] = found.reshape(classes, BINS).astype(np.float64)

    def predict(self, batch: Batch) -> Tensor:
        """Labels, uint8; without `prepare` everything is background."""
        image = batch["image"]
        if not self.counts:
            return torch.zeros_like(image[:, :1], dtype=torch.uint8)
        counts = self.counts[self.smoothing]
        total = counts.sum(1, keepdims=True).clip(1)
        table = ((counts + 0.5) / total * (total / total.sum()) ** self.prior).argmax(0)
        labels = table[self._bins(batch, self.smoothing)].astype(np.uint8)
        if self.largest:
            for stack in labels[:, 0]:
                stack[~_largest_part(stack > 0)] = 0
        return torch.from_numpy(labels).to(image.device)

    def _bins(self, batch: Batch, smoothing: float) -> np.ndarray:
        stack = standardise(batch)
        image = (stack if stack.shape[1] == 1 else stack.mean(1, keepdim=True)).cpu().numpy()
        if smoothing:
            image = ndimage.gaussian_filter(image, (0, 0, 0, smoothing, smoothing))
        return ((image + 1.5) / 3 * BINS).astype(np.int64).clip(0, BINS - 1)


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask (D, H, W), loosened from its neighbours first."""
    cross = np.zeros((3, 3, 3), bool)
    cross[1, 1], cross[1, :, 1] = True, True
    parts, count = ndimage.label(ndimage.binary_erosion(mask, cross))
    if not count:
        return mask
    sizes = np.bincount(parts.ravel())[1:]
    return ndimage.binary_dilation(parts == sizes.argmax() + 1, cross, iterations=2) & mask
