"""The noisy scan itself: what every denoiser must improve on."""

from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical


class NoisyInput(Classical):
    """(N, 1, H, W) low dose in HU, returned as it is."""

    def predict(self, batch: Batch) -> Tensor:
        """The low-dose scan."""
        return batch["low_dose"]
