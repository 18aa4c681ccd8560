"""Diffeomorphic demons: every voxel is pushed along the image's edges, and the pushes are smoothed.

    u ← smooth(u ∘ exp(f)),   f = (fixed - warped) J / (|J|² + (fixed - warped)²)

Pushes are composed, not added, so that nothing folds. Brightness must mean the same in both
images: with two contrasts it drives them apart, and is not asked. The pair's affine map comes
first, then three resolutions. Smoothing and iterations are chosen on validation pairs.

Vercauteren et al. 2009, NeuroImage 45(1), doi 10.1016/j.neuroimage.2008.10.040.
"""

from typing import ClassVar

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.registration import itk
from course_lib.parts.registration.affine import both_ways


class Demons(Classical):
    """Pairs (N, 1, *spatial) → fields (N, d, *spatial) in voxels. `sigma`: voxels."""

    sigma: float = 2.0
    iterations: int = 30
    grid: ClassVar = tuple(
        {"sigma": sigma, "iterations": iterations}
        for sigma, iterations in ((1.0, 30), (1.5, 30), (2.0, 30), (2.0, 80), (3.0, 80))
    )

    def register(self, fixed: Tensor, moved: Tensor) -> Tensor:
        """The field of one direction, between images that are affinely aligned."""
        return itk.demons(fixed, moved, self.sigma, self.iterations)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Both directions."""
        return both_ways(self.register, batch)
