"""Zero-filled reconstruction: what was not measured is taken for zero.

x = F⁻¹ y, (N, 1, H, W) complex. The adjoint of the scanner, and the picture with the least energy
among all that agree with the data: holes in k-space become aliasing.
"""

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class ZeroFilled(Classical):
    """k-space (N, 1, H, W) → complex picture (N, 1, H, W)."""

    def predict(self, batch: Batch) -> Tensor:
        """The picture that the question has made already."""
        return batch["zero_filled"]
