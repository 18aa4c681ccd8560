"""A network that reads an image twice: is there something, and which pixels is it?"""

import torch
from torch import Tensor, nn

from course_lib.parts.intensity import unit_range
from course_lib.parts.resnet import ResNet

WIDTHS, STRIDES = (16, 32, 64), (1, 2, 1)


def small_resnet(classes: int = 2) -> ResNet:
    """A ResNet of three stages whose last maps have a quarter of the image's side: finer than
    usual, because what is looked for is small, and where it is looked for shall be seen."""
    return ResNet(classes, widths=WIDTHS, strides=STRIDES)


def seen(image: Tensor, window: tuple[float, float]) -> Tensor:
    """Images (N, 1, H, W) as networks see them: −1 the window's black, 1 its white."""
    return 2 * unit_range(image, window) - 1


def two(positive: Tensor) -> Tensor:
    """Probabilities of yes (N,) as those of no and yes (N, 2)."""
    return torch.stack([1 - positive, positive], 1)


class Reader(nn.Module):
    """Images (N, 1, H, W) → class scores (N, 2) and pixel scores (N, 1, H, W).

    A ResNet classifies; all its maps, enlarged to the image and added up with learnt weights as in
    a fully convolutional network (Long et al. 2015, CVPR), say which pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = small_resnet()
        self.pixels = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in WIDTHS)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.trunk.maps(image)
        scores = self.trunk.head(maps[-1].flatten(2).mean(2))
        layers = (layer(x) for layer, x in zip(self.pixels, maps, strict=True))
        size = image.shape[2], image.shape[3]
        grown = [
            cells.enlarged(x, size) for cells, x in zip(self.trunk.cells(), layers, strict=True)
        ]
        return scores, torch.stack(grown).sum(0)
