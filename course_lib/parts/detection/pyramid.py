"""A small convolutional backbone with a feature pyramid on top, shared by the detectors.

Lin et al. 2017, CVPR, doi 10.1109/CVPR.2017.106: maps of all depths get the same width, and the
deeper map, enlarged, is added to the finer one, so that fine maps know what coarse ones see.
"""

from torch import Tensor, nn

from course_lib.parts.cells import Cells

STRIDES = (4, 8, 16)


def normalised(image: Tensor, window: tuple[float, float]) -> Tensor:
    """Images of any shape as -1 (the window's black) to 1 (its white), clipped."""
    low, high = window
    return (image.clamp(low, high) - (low + high) / 2) / ((high - low) / 2)


def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU. Group normalisation learnt much more slowly."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class Pyramid(nn.Module):
    """Images (N, C, H, W) → three maps (N, width, H/s, W/s), s = 4, 8, 16.

    H and W must be multiples of 16. `window`: values of black and white in the images; `levels`:
    how many maps are wanted, finest first. `cells` tells where the maps' cells lie.
    """

    def __init__(
        self, channels: int, window: tuple[float, float], width: int = 32, levels: int = 3
    ) -> None:
        super().__init__()
        self.window = window
        self.stem = nn.Sequential(block(channels, 16, 2), block(16, 32, 2), block(32, 32))
        self.middle = nn.Sequential(block(32, 64, 2), block(64, 64))
        self.deep = nn.Sequential(block(64, 96, 2), block(96, 96))
        self.lateral = nn.ModuleList(nn.Conv2d(n, width, 1) for n in (32, 64, 96))
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(levels))
        fine = Cells().behind(self.stem)
        middle = fine.behind(self.middle)
        self.cells = (fine, middle, middle.behind(self.deep))

    def forward(self, image: Tensor) -> list[Tensor]:
        """The maps, finest first."""
        fine = self.stem(normalised(image, self.window))
        middle = self.middle(fine)
        maps = [fine, middle, self.deep(middle)]
        maps = [lateral(each) for lateral, each in zip(self.lateral, maps, strict=True)]
        for level in (1, 0):
            coarse = self.cells[level + 1].seen_from(self.cells[level])
            size = maps[level].shape[-2], maps[level].shape[-1]
            maps[level] = maps[level] + coarse.enlarged(maps[level + 1], size)
        return [smooth(each) for smooth, each in zip(self.smooth, maps, strict=False)]
