"""ESPCN: all computation on the coarse grid, then channels become pixels.

New in the paper: no interpolation before the network. The last layer computes r² channels on the
coarse grid, one for each place inside an enlarged pixel, and a shuffle lays them side by side.

    x̂ = shuffle(W₃ * ReLU(W₂ * ReLU(W₁ * x))),   loss = mean (x̂ - y)²,   kernels 5, 3, 3

Blocks (N, 1, d, h, w) HU → (N, 1, D, H, W) HU: plane by plane, or with `dimensions=3` as volumes,
r³ channels (the trunk of image quality transfer, Tanno 2017). Shrunk: nothing (64 and 32 maps), but
ReLU stands for the paper's tanh. So one map can start as an exact copy of the image, which the last
layer makes a linear interpolation: a start, no shortcut, from which some hundred steps suffice.

Shi et al. 2016, CVPR, doi 10.1109/CVPR.2016.207.
"""

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.start import channels_last
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from course_lib.parts.super_resolution.shuffle import linear_start, shuffle


class ESPCN(Method):
    """Efficient sub-pixel convolutional network, for the data set's factors.

    Arguments:
        dimensions: 2 for planes, 3 for volumes.
        maps: of the first and the second layer.
    """

    warm_up, clip, mixed = 30, 1.0, True

    def __init__(self, dimensions: int = 2, maps: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        if dimensions not in (2, 3):
            raise CourseError(f"ESPCN works in dimensions 2 or 3, not {dimensions!r}.")
        self.dimensions, self.maps = dimensions, maps

    def build(self, facts: Facts) -> None:
        """Two layers of features, and one channel for each place inside an enlarged pixel."""
        planes = self.dimensions == 2
        self.factors = plane_factors(facts.scale) if planes else facts.scale
        convolution = nn.Conv2d if planes else nn.Conv3d
        first, second = self.maps
        self.features = nn.Sequential(
            convolution(1, first, 5, padding=2, padding_mode="replicate"),
            nn.ReLU(inplace=True),
            convolution(first, second, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(inplace=True),
        )
        places = prod(self.factors)
        self.last = convolution(second, places, 3, padding=1, padding_mode="replicate")
        with torch.no_grad():
            for layer in self.features[::2]:
                layer.weight[0] = 0
                layer.bias[0] = 0
                layer.weight[(0, 0, *[layer.kernel_size[0] // 2] * self.dimensions)] = 1
            self.last.weight[:, 0] = linear_start(self.factors)
            self.last.bias[:] = 0
        channels_last(self)

    def forward(self, low: Tensor) -> Tensor:
        """Coarse planes (M, 1, h, w) or volumes (N, 1, d, h, w) → fine ones."""
        return shuffle(self.last(self.features(low)), self.factors)

    def _image(self, batch: Batch, name: str) -> Tensor:
        image = relative_attenuation(batch[name])
        return to_planes(image, self.facts.scale) if self.dimensions == 2 else image

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the high-resolution image."""
        fine = self(self._image(batch, "low_resolution"))
        yield "network", F.mse_loss(fine, self._image(batch, "high_resolution"))

    def predict(self, batch: Batch) -> Tensor:
        """The high-resolution volume in HU."""
        fine = hounsfield(self(self._image(batch, "low_resolution")))
        if self.dimensions == 3:
            return fine
        return from_planes(fine, len(batch["low_resolution"]), self.facts.scale)
