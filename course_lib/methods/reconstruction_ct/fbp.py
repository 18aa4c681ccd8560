"""Filtered back-projection: what a scanner computes, and what each method must improve on.

Every view is filtered with the ramp |f| times a window, and smeared back over the image. Exact for
complete scans without noise; few views give streaks, a short arc leaves directions out, and the
ramp amplifies noise, which the window damps. Ramachandran & Lakshminarayanan 1971, PNAS,
doi 10.1073/pnas.68.9.2236.
"""

from typing import ClassVar

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.hounsfield import hounsfield
from course_lib.parts.scanner import scanner
from course_lib.physics import ct


class FBP(Classical):
    """Line integrals (N, 1, views, detectors) → (N, 1, H, W) HU. `window`: a key of
    `ct.WINDOWS`."""

    window: str = "ram-lak"
    grid: ClassVar = tuple({"window": window} for window in ct.WINDOWS)

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        sinogram = batch["sinogram"]
        scan = scanner(self.facts, sinogram.device)
        return hounsfield(scan.fbp(scan.data(sinogram), self.window))
