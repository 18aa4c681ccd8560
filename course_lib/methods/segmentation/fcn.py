"""FCN: a classifier made fully convolutional, its coarse scores brought back to the pixels.

New in the paper: no dense layer, so an image of any size gives a map of class scores, learnt end to
end. Five poolings leave one score for 32 x 32 pixels (FCN-32s). Scores read off earlier poolings
are *added* (class scores, not features) to bring detail back:

    32s:  ↑32 s₅        16s:  ↑16 (↑2 s₅ + s₄)        8s:  ↑8 (↑2 (↑2 s₅ + s₄) + s₃)

with sₖ a 1x1 convolution after pooling k and ↑ a deconvolution that starts as linear interpolation.
Loss: pixel cross-entropy, weighted by class. Input (N, 1, D, H, W), each slice by itself. `stride`:
32, 16 or 8; all three have the same encoder and, unlike in the paper, start from scratch.

Shrunk: 16 to 96 maps and two convolutions before each pooling, with batch normalisation, instead of
VGG-16 with ImageNet weights.

Long, Shelhamer & Darrell 2015, CVPR, doi 10.1109/CVPR.2015.7298965.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.methods.segmentation import Segmenter
from course_lib.methods.segmentation.unet import SliceBySlice
from course_lib.parts.u_net import two_convolutions

WIDTHS = (16, 32, 48, 64, 96)
TAPS = {32: 1, 16: 2, 8: 3}
"""Stride → how many poolings give scores, the last one first."""


def upsampling(classes: int, factor: int) -> nn.ConvTranspose2d:
    """A deconvolution by `factor` that starts as linear interpolation of each class's scores."""
    side = 2 * factor
    layer = nn.ConvTranspose2d(classes, classes, side, stride=factor, padding=factor // 2)
    line = 1 - (torch.arange(side) - (side - 1) / 2).abs() / factor
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        for k in range(classes):
            layer.weight[k, k] = line.outer(line)
    return layer


class FCNetwork(nn.Module):
    """(N, channels, H, W) → (N, classes, H, W), any height and width."""

    def __init__(self, channels: int, classes: int, stride: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            nn.Sequential(two_convolutions(before, after), nn.MaxPool2d(2, ceil_mode=True))
            for before, after in pairwise((channels, *WIDTHS))
        )
        taps = TAPS[stride]
        self.score = nn.ModuleList(nn.Conv2d(c, classes, 1) for c in WIDTHS[: -taps - 1 : -1])
        self.doublings = nn.ModuleList(upsampling(classes, 2) for _ in range(taps - 1))
        self.enlarge = upsampling(classes, stride)

    def forward(self, image: Tensor) -> Tensor:
        """Class scores."""
        seen, x = [], image
        for block in self.encoder:
            x = block(x)
            seen.append(x)
        scores = self.score[0](seen[-1])
        for up, score, features in zip(self.doublings, self.score[1:], seen[-2::-1], strict=False):
            finer = score(features)
            scores = up(scores)[..., : finer.shape[-2], : finer.shape[-1]] + finer
        return self.enlarge(scores)[..., : image.shape[-2], : image.shape[-1]]


class FCN(Segmenter):
    """FCN-32s, FCN-16s or FCN-8s.

    Raises CourseError for a stride other than 32, 16 or 8.
    """

    def __init__(self, stride: int = 8) -> None:
        super().__init__()
        if stride not in TAPS:
            raise CourseError(f"The stride is one of {', '.join(map(str, TAPS))}, not {stride!r}.")
        self.stride = stride

    def build(self, facts: Facts) -> None:
        """The network, run slice by slice."""
        self.network = SliceBySlice(FCNetwork(facts.channels, facts.classes, self.stride))
