"""SRCNN: three convolutions learn to sharpen an interpolated image.

New in the paper: the first network for super-resolution. Its three layers stand for the three
steps of sparse coding (take patches, map them, put patches together), learnt end to end.

    x̂ = W₃ * ReLU(W₂ * ReLU(W₁ * x↑)),   loss = mean (x̂ - y)²,   kernels 9, 1, 5

x↑ is the bicubic enlargement. Blocks (N, 1, d, h, w) HU → (N, 1, D, H, W) HU, plane by plane.
Shrunk: nothing in the network (64 and 32 maps). The paper trained for 8·10⁸ backpropagations from
small random weights; so that some hundred steps suffice, one of the 64 maps starts as a copy of the
image, passed on by each layer. It is a start, not a shortcut: training may leave it.

Dong et al. 2016, IEEE TPAMI 38(2):295-307, doi 10.1109/TPAMI.2015.2439281.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.start import channels_last
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from course_lib.physics.resolution import enlarge


class SRCNN(Method):
    """Super-resolution convolutional neural network."""

    warm_up, clip, mixed = 30, 1.0, True

    def __init__(self, maps: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        self.maps = maps

    def build(self, facts: Facts) -> None:
        """Three layers, the same for every factor."""
        first, second = self.maps
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 9, padding=4, padding_mode="replicate"),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(second, 1, 5, padding=2, padding_mode="replicate"),
        )
        with torch.no_grad():
            for layer in self.layers[::2]:
                middle = layer.kernel_size[0] // 2
                layer.weight[0] = 0
                layer.weight[0, 0, middle, middle] = 1
                layer.bias[0] = 0
        channels_last(self)

    def forward(self, enlarged: Tensor) -> Tensor:
        """(M, 1, H, W) → (M, 1, H, W), relative attenuation."""
        return self.layers(enlarged)

    def _planes(self, batch: Batch, name: str) -> Tensor:
        return to_planes(relative_attenuation(batch[name]), self.facts.scale)

    def _enlarged(self, batch: Batch) -> Tensor:
        low = self._planes(batch, "low_resolution")
        return enlarge(low, plane_factors(self.facts.scale), "bicubic")

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the high-resolution planes."""
        target = self._planes(batch, "high_resolution")
        yield "network", F.mse_loss(self(self._enlarged(batch)), target)

    def predict(self, batch: Batch) -> Tensor:
        """The high-resolution volume in HU."""
        fine = hounsfield(self(self._enlarged(batch)))
        return from_planes(fine, len(batch["low_resolution"]), self.facts.scale)
