"""An affine map for every pair: turns, stretches, shears and shifts the whole picture.

It can bring heads together, never gyri. SimpleITK, gradient descent on two resolutions; the
similarity is chosen on validation pairs. Klein et al. 2009 use the like before every comparison,
NeuroImage 46(3), doi 10.1016/j.neuroimage.2008.12.037.
"""

from typing import ClassVar

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.registration import itk
from course_lib.parts.registration.fields import both_ways


class Affine(Classical):
    """Pairs (N, 1, *spatial) → fields (N, d, *spatial) in voxels."""

    similarity: str = "correlation"
    grid: ClassVar = ({"similarity": "correlation"}, {"similarity": "mutual_information"})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Both directions, each with an optimisation of its own."""
        return both_ways(lambda f, m: itk.transform(f, m, self.similarity, None), batch)
