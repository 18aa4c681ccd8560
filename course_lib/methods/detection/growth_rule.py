"""The clinic's rule: measure the nodule at the last two visits, work out its doubling time.

    V ∝ (pixels of the nodule)^(3/2),   T = lag · ln 2 / ln(V₂ / V₁),   fast if T is short

Nothing is learnt; the threshold that separates nodule from lung is chosen on validation series.
Series (N, T, 1, 32, 32) HU and days (N, T) → the probability of fast growth before each visit,
(N, T).
MacMahon et al. 2017, Radiology 284(1):228-243, doi 10.1148/radiol.2017161659.
"""

from typing import ClassVar

import torch
from scipy import ndimage
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.physics.growth import SUSPICIOUS_DAYS


class GrowthRule(Classical):
    """`threshold`: HU above which a pixel is nodule; `blur`: pixels of smoothing before; `dates`:
    False leaves the calendar out."""

    threshold: float = -500.0
    blur: float = 0.5
    dates: bool = True
    grid: ClassVar = tuple(
        {"threshold": threshold, "blur": blur}
        for threshold in (-700.0, -600.0, -500.0, -400.0, -300.0)
        for blur in (0.0, 0.7)
    )

    def __init__(self, dates: bool = True) -> None:
        self.dates = dates

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Sigmoid of the log ratio between 400 days and the doubling time measured."""
        series = batch["series"][:, :, 0].cpu()
        size = torch.tensor([[self._pixels(image.numpy()) for image in one] for one in series])
        growth = torch.zeros(size.shape)
        growth[:, 1:] = 1.5 * torch.log2(size[:, 1:] / size[:, :-1])
        lag = torch.zeros(size.shape)
        lag[:, 1:] = batch["days"].cpu().diff(dim=1).clamp_min(1)
        lag = lag.clamp_min(1) if self.dates else torch.full_like(lag, SUSPICIOUS_DAYS)
        doublings = growth * SUSPICIOUS_DAYS / lag  # within 400 days; the limit is one
        return {"fast": torch.sigmoid(3 * (doublings - 1)).to(batch["series"].device)}

    def _pixels(self, image) -> float:
        """Pixels of the part above the threshold that lies in the middle, at least one."""
        if self.blur:
            image = ndimage.gaussian_filter(image, self.blur)
        parts, count = ndimage.label(image > self.threshold)
        if not count:
            return 1.0
        middle = parts[12:20, 12:20]
        middle = middle[middle > 0]
        if not len(middle):
            return 1.0
        number = torch.from_numpy(middle).mode().values.item()
        return float((parts == number).sum())
