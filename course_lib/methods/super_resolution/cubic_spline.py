"""Cubic spline interpolation: the smoothest curve through all samples of a line.

Unser 1999, IEEE Signal Processing Magazine 16(6):22-38, doi 10.1109/79.799930. The spline is
scipy's.
"""

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.physics.resolution import enlarge


class CubicSpline(Classical):
    """(N, 1, d, h, w) HU → (N, 1, D, H, W) HU."""

    def predict(self, batch: Batch) -> Tensor:
        """The enlarged volume."""
        return enlarge(batch["low_resolution"], self.facts.scale)
