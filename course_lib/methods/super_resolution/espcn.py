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

from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, scale_of, to_planes
from course_lib.parts.super_resolution.shuffle import linear_start, shuffle


class ESPCN(Method):
    """Efficient sub-pixel convolutional network."""

    def __init__(
        self,
        scale: tuple[int, int, int] = (1, 3, 3),
        dimensions: int = 2,
        maps: tuple[int, int] = (64, 32),
    ) -> None:
        super().__init__()
        self.dimensions, self.scale = dimensions, tuple(scale)
        self.convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.features = nn.Sequential(
            self.convolution(1, maps[0], 5, padding=2, padding_mode="replicate"),
            nn.ReLU(inplace=True),
            self.convolution(maps[0], maps[1], 3, padding=1, padding_mode="replicate"),
            nn.ReLU(inplace=True),
        )
        with torch.no_grad():
            for layer in self.features[::2]:
                layer.weight[0] = 0
                layer.bias[0] = 0
                layer.weight[(0, 0, *[layer.kernel_size[0] // 2] * dimensions)] = 1
        self.last = self._last(maps[1])

    @property
    def factors(self) -> tuple[int, ...]:
        """The factor along each axis that the network sees."""
        return plane_factors(self.scale) if self.dimensions == 2 else self.scale

    def _last(self, maps: int) -> nn.Module:
        """One channel for each place inside an enlarged pixel."""
        places = prod(self.factors)
        layer = self.convolution(maps, places, 3, padding=1, padding_mode="replicate")
        with torch.no_grad():
            layer.weight[:, 0] = linear_start(self.factors)
            layer.bias[:] = 0
        return layer

    def prepare(self, train: Cases) -> None:
        """Takes the data set's factors: each needs a last layer of its own."""
        scale = scale_of(train["scale"])
        if scale != self.scale:
            self.scale = scale
            self.last = self._last(self.last.in_channels).to(train.device)

    def forward(self, low: Tensor) -> Tensor:
        """Coarse planes (M, 1, h, w) or volumes (N, 1, d, h, w) → fine ones."""
        return shuffle(self.last(self.features(low)), self.factors)

    def _image(self, batch: Batch, name: str) -> Tensor:
        scale = scale_of(batch["scale"])
        if scale != self.scale:
            raise CourseError(
                f"This network enlarges by {self.scale} (z, y, x), not by {scale}: train another."
            )
        image = relative_attenuation(batch[name])
        return to_planes(image, scale) if self.dimensions == 2 else image

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the high-resolution image."""
        fine = self(self._image(batch, "low_resolution"))
        yield "network", F.mse_loss(fine, self._image(batch, "high_resolution"))

    def predict(self, batch: Batch) -> Tensor:
        """The high-resolution volume in HU."""
        fine = hounsfield(self(self._image(batch, "low_resolution")))
        cases = len(batch["low_resolution"])
        return from_planes(fine, cases, self.scale) if self.dimensions == 2 else fine
