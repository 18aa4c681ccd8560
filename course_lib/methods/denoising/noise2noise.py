"""Noise2Noise: a network that never sees a clean image learns the clean image.

New in the paper: the mean squared error is smallest at the mean of all targets. If the target is
another scan of the same patient, with noise of mean zero that knows nothing of the input's, then
that mean is the patient:

    loss = mean (f(x₁) - x₂)²  =  mean (f(x₁) - patient)² + the noise of x₂, which f cannot change

Either half is input and target in turn; the answer is the mean of both outputs. The filtered
back-projection of few photons is not quite of mean zero (a logarithm is taken), so that what is
learnt leans as the halves do.

Input: two scans (N, 1, H, W) HU at half the dose each. Output the same, once. Network: RED-CNN,
instead of the paper's U-Net, so that supervised training of the same network is its upper bound.

Lehtinen et al. 2018, ICML, arXiv:1803.04189. The plain rival of `consensus_net.py`.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.denoising.red_cnn import REDCNN
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class Noise2Noise(REDCNN):
    """One half of the photons teaches what the other half shows."""

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the other half, both ways."""
        a, b = (relative_attenuation(batch[half]) for half in ("half_a", "half_b"))
        yield "network", (F.mse_loss(self(a), b) + F.mse_loss(self(b), a)) / 2

    def predict(self, batch: Batch) -> Tensor:
        """The mean of what the halves give, in HU."""
        halves = (relative_attenuation(batch[half]) for half in ("half_a", "half_b"))
        return hounsfield(sum(self(half) for half in halves) / 2)
