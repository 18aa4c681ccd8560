"""V-Net: a U-shaped network of volumes, residual in every stage, trained on Dice itself.

New in the paper: convolutions in 3D, each stage adds its input to its output, strided convolutions
instead of pooling, and a loss that does not need the classes to be weighted:

    loss = 1 − mean over structures of  2 Σ p g / (Σ p² + Σ g²)

with p the softmax probabilities of (N, 1, D, H, W) voxels. Options: `loss`, another one to compare
with; `kernel=5` as in the paper.

Shrunk: 4 stages of 8 to 48 maps and 3x3x3 kernels instead of 5 stages of 16 to 256 and 5x5x5.
Batch normalisation, as most later versions have. Augmentation bends the slices' plane only.

Milletari, Navab & Ahmadi 2016, 3DV, doi 10.1109/3DV.2016.79.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.methods.segmentation import Segmenter
from course_lib.parts.segmentation.losses import LOSSES, known_loss
from course_lib.parts.start import channels_last
from course_lib.parts.u_net import padded


class Stage3D(nn.Module):
    """`count` convolutions with PReLU; the stage's input is added to what they give."""

    def __init__(self, before: int, width: int, count: int, kernel: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(count):
            inputs = before if k == 0 else width
            layers += [
                nn.Conv3d(inputs, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm3d(width),
            ]
            if k < count - 1:
                layers.append(nn.PReLU(width))
        self.convolutions, self.activation = nn.Sequential(*layers), nn.PReLU(width)
        # Where channels differ the first ones are added; a one-channel image is repeated.
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, *spatial) → (N, width, *spatial)."""
        shortcut = x.expand(-1, self.width, -1, -1, -1) if x.shape[1] == 1 else x[:, : self.width]
        return self.activation(self.convolutions(x) + shortcut)


class VNetwork(nn.Module):
    """(N, 1, D, H, W) → (N, classes, D, H, W)."""

    def __init__(self, classes: int, widths: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        counts = [min(3, k + 1) for k in range(len(widths))]
        self.first = Stage3D(1, widths[0], counts[0], kernel)
        self.down, self.left = nn.ModuleList(), nn.ModuleList()
        self.up, self.right = nn.ModuleList(), nn.ModuleList()
        for (here, below), count in zip(pairwise(widths), counts[1:], strict=True):
            self.down.append(nn.Conv3d(here, below, 2, stride=2))
            self.left.append(Stage3D(below, below, count, kernel))
        for (here, below), count in list(zip(pairwise(widths), counts, strict=False))[::-1]:
            self.up.append(nn.ConvTranspose3d(below, here, 2, stride=2))
            self.right.append(Stage3D(2 * here, here, count, kernel))
        self.head = nn.Conv3d(widths[0], classes, 1)
        self.multiple = 2 ** len(self.down)

    def forward(self, stack: Tensor) -> Tensor:
        """Class scores; pads the volume where its sides do not divide."""
        depth, height, width = stack.shape[2:]
        x = self.first(padded(stack, [self.multiple] * 3))
        seen = [x]
        for down, stage in zip(self.down, self.left, strict=True):
            x = stage(down(x))
            seen.append(x)
        for up, stage, skip in zip(self.up, self.right, seen[-2::-1], strict=True):
            x = stage(torch.cat([up(x), skip], dim=1))
        return self.head(x)[..., :depth, :height, :width]


class VNet(Segmenter):
    """The V-Net.

    Arguments:
        widths: maps of each stage. loss: a name in `parts.segmentation.losses.LOSSES`.
        kernel: side of the filters, an odd number.
    Raises CourseError for another loss or kernel.
    """

    mixed = False  # no faster in 3D

    def __init__(
        self, widths: tuple[int, ...] = (8, 16, 32, 48), loss: str = "dice", kernel: int = 3
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise CourseError(f"The kernel is an odd number such as 3 or 5, not {kernel!r}.")
        self.widths, self.loss_name, self.kernel = tuple(widths), known_loss(loss), kernel

    def build(self, facts: Facts) -> None:
        """The network."""
        network = VNetwork(facts.classes, self.widths, self.kernel)
        self.network = network
        channels_last(network)  # a quarter faster

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Dice with squares in its denominator, or the chosen loss."""
        return LOSSES[self.loss_name](scores, labels)
