"""EfficientNet-Lite0, whose real ImageNet weights a package ships (`parts.pretrained`).

Stem, seven groups of inverted residual blocks (expand 1x1, depthwise kxk, project 1x1; ReLU6, no
squeeze-and-excitation), head. Source: Tan & Le 2019, EfficientNet, ICML, arXiv:1905.11946; Lite:
TensorFlow TPU repository, 2020.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

# (expansion, channels, blocks, stride, kernel) of the seven groups.
GROUPS = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
FEATURES, CLASSES = 1280, 1000


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: the odd pixel goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', ceil(H / stride), ceil(W / stride))."""
        pads: list[int] = []
        for length, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [total // 2, total - total // 2]
        return self._conv_forward(F.pad(x, pads), self.weight, self.bias)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; added to the input where shapes allow."""

    def __init__(self, before: int, after: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        wide = before * expansion
        self.expand = expansion != 1
        if self.expand:
            self._expand_conv = nn.Conv2d(before, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self._bn2 = _norm(after)
        self.shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) → (N, after, H / stride, W / stride)."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """Images (N, 3, H, W), scaled by `normalise`, → class scores (N, 1000).

    Attribute names follow the weights' file.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, stride=2, bias=False)
        self._bn0 = _norm(32)
        channels = [32, *(group[1] for group in GROUPS)]
        blocks: list[nn.Module] = []
        self.ends: list[int] = []
        for (before, after), (expansion, _, count, stride, kernel) in zip(
            pairwise(channels), GROUPS, strict=True
        ):
            blocks.append(InvertedResidual(before, after, expansion, stride, kernel))
            blocks += [
                InvertedResidual(after, after, expansion, 1, kernel) for _ in range(count - 1)
            ]
            self.ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(channels[-1], FEATURES, 1, bias=False)
        self._bn1 = _norm(FEATURES)
        self._fc = nn.Linear(FEATURES, CLASSES)

    @staticmethod
    def normalise(unit: Tensor) -> Tensor:
        """Values in [0, 1], (N, 1 or 3, H, W) → what the weights were trained on; grey images
        are repeated in three channels."""
        return ((unit * 255 - 127) / 128).expand(-1, 3, -1, -1)

    def maps(self, x: Tensor, groups: int = len(GROUPS)) -> list[Tensor]:
        """The feature maps after each of the first `groups` groups of blocks."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        found, start = [], 0
        for end in self.ends[:groups]:
            for block in self._blocks[start:end]:
                x = block(x)
            found.append(x)
            start = end
        return found

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → pooled features (N, 1280)."""
        x = F.relu6(self._bn1(self._conv_head(self.maps(x)[-1])))
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → class scores (N, 1000)."""
        return self._fc(self.features(x))
