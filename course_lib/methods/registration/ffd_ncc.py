"""Free-form deformation by gradient descent on local correlation: no learning, all optimisation.

    min over u of  -LNCC(fixed, moving(x + u(x))) + λ · bending energy of u

What VoxelMorph learns to do in one pass, done for every pair anew, from the pair's affine map on,
with B-splines on control points 32, 16 and 8 voxels apart. The weight λ is chosen on validation
pairs.

Rueckert et al. 1999, IEEE TMI 18(8), doi 10.1109/42.796284; the local correlation of Avants et al.
2008, Medical Image Analysis 12(1), doi 10.1016/j.media.2007.06.004.
"""

from typing import ClassVar

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.registration import free_form
from course_lib.parts.registration.losses import local_ncc


class FFDNCC(Classical):
    """Pairs (N, 1, *spatial) → fields (N, d, *spatial) in voxels."""

    weight: float = 0.1
    grid: ClassVar = tuple({"weight": weight} for weight in (0.03, 0.1, 1.0))

    def dissimilarity(self, one: Tensor, other: Tensor) -> Tensor:
        """What is minimised, (N,)."""
        return -local_ncc(one, other)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Both directions."""
        unlike = self.dissimilarity
        return free_form.both_ways(unlike, unlike, batch, weight=self.weight)
