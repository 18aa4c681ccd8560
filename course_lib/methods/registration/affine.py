"""An affine map for every pair: turns, stretches, shears and shifts the whole picture.

It can bring heads together, never gyri. Gradient descent on correlation by SimpleITK, or for two
contrasts on mutual information: the map that comes with every pair and that all other methods start
from. Klein et al. 2009 use the like before every comparison, NeuroImage 46(3),
doi 10.1016/j.neuroimage.2008.12.037.
"""

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.registration import affine


class Affine(Classical):
    """Pairs (N, 1, *spatial) → fields (N, d, *spatial) in voxels."""

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The pair's map, and its inverse."""
        maps, shape = batch["start"], batch["fixed"].shape[2:]
        return {
            "forward": affine.displacement(maps, shape),
            "backward": affine.displacement(affine.back(maps), shape),
        }
