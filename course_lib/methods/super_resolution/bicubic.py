"""Bicubic interpolation: what every super-resolution paper is compared with."""

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from course_lib.physics.resolution import enlarge


class Bicubic(Classical):
    """(N, 1, d, h, w) HU → (N, 1, D, H, W) HU, in the planes that lost detail."""

    def predict(self, batch: Batch) -> Tensor:
        """The enlarged volume."""
        low, scale = batch["low_resolution"], self.facts.scale
        fine = enlarge(to_planes(low, scale), plane_factors(scale), "bicubic")
        return from_planes(fine, len(low), scale)
