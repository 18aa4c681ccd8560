"""CSN: a channel splitting network with merge-and-run.

New in the paper: channels are not treated alike. In each block they are split into halves: a
residual branch refines what is known, a dense branch looks for new features, and both branches are
given the mean of what came in, so that they tell each other what they found.

    m = (a + d) / 2,   a' = R(a) + m,   d' = D(d) + m        (a: residual, d: dense half)
    x̂ = conv(shuffle(conv(fuse(blocks(f)) + f))),  f = conv(x),   loss = mean |x̂ - y|

Blocks (N, 1, d, h, w) HU → (N, 1, D, H, W) HU, plane by plane. Shrunk: 4 blocks of 32 channels
(the paper's depth and widths are larger; L1 as its loss is recalled, not checked). So that some
hundred steps suffice, channel 0 of head, global skip and enlargement starts as a copy of the image
and the network as linear interpolation.

Zhao et al. 2019, IEEE TIP 28(11):5649-5662, doi 10.1109/TIP.2019.2921882.
"""

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.start import channels_last
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from course_lib.parts.super_resolution.shuffle import linear_start, shuffle


def conv(before: int, after: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(before, after, kernel, padding=kernel // 2)


class Dense(nn.Module):
    """Each layer sees all before it; a 1x1 convolution gathers them into `width` channels."""

    warm_up, clip, mixed = 30, 1.0, True

    def __init__(self, width: int, layers: int = 3) -> None:
        super().__init__()
        growth = width // 2
        self.layers = nn.ModuleList(conv(width + i * growth, growth) for i in range(layers))
        self.gather = conv(width + layers * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, F.relu(layer(x))], dim=1)
        return self.gather(x)


class Split(nn.Module):
    """One block: the two halves of the channels go their own ways and merge by their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.residual = nn.Sequential(conv(half, half), nn.ReLU(inplace=True), conv(half, half))
        self.dense = Dense(half)

    def forward(self, x: Tensor) -> Tensor:
        known, new = x.chunk(2, dim=1)
        mean = (known + new) / 2
        return torch.cat([self.residual(known) + mean, self.dense(new) + mean], dim=1)


class CSN(Method):
    """Channel splitting network, for the data set's factors."""

    def __init__(self, blocks: int = 4, width: int = 32) -> None:
        super().__init__()
        self.blocks, self.width = blocks, width

    def build(self, facts: Facts) -> None:
        """Blocks on the coarse grid, then `width` maps for each place inside an enlarged pixel."""
        width, self.factors = self.width, plane_factors(facts.scale)
        self.head = conv(1, width)
        self.body = nn.Sequential(*(Split(width) for _ in range(self.blocks)))
        self.fuse = conv(width, width)
        self.enlarge = conv(width, width * prod(self.factors))
        self.last = conv(width, 1)
        with torch.no_grad():
            places = slice(0, prod(self.factors))  # those of map 0
            self.enlarge.weight[places] = 0
            self.enlarge.weight[places, 0] = linear_start(self.factors)
            self.enlarge.bias[places] = 0
            for layer in (self.head, self.fuse, self.last):
                layer.weight[0] = 0
                layer.bias[0] = 0
            self.head.weight[0, 0, 1, 1] = self.last.weight[0, 0, 1, 1] = 1
        channels_last(self)

    def forward(self, low: Tensor) -> Tensor:
        """Coarse planes (M, 1, h, w) → fine ones, relative attenuation."""
        features = self.head(low)
        features = self.fuse(self.body(features)) + features
        return self.last(shuffle(self.enlarge(features), self.factors))

    def _planes(self, batch: Batch, name: str) -> Tensor:
        return to_planes(relative_attenuation(batch[name]), self.facts.scale)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean absolute error to the high-resolution planes."""
        fine = self(self._planes(batch, "low_resolution"))
        yield "network", F.l1_loss(fine, self._planes(batch, "high_resolution"))

    def predict(self, batch: Batch) -> Tensor:
        """The high-resolution volume in HU."""
        fine = hounsfield(self(self._planes(batch, "low_resolution")))
        return from_planes(fine, len(batch["low_resolution"]), self.facts.scale)
