"""A small residual network of 308 thousand parameters, in 2D or 3D, with its maps within reach.

Stem, four stages of one basic block each, global average pooling, one linear layer. MONAI's ResNet
has the same layers; it has no plain twin without shortcuts, hides its maps behind hooks, and takes
six seconds to import. Source: He, Zhang, Ren & Sun 2016, CVPR, doi 10.1109/CVPR.2016.90.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.parts.cells import Cells

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class BasicBlock(nn.Module):
    """relu(x + F(x)), F two 3-convolutions; where the shape changes, a projection of x instead.

    Arguments:
        before, after: channels. stride: of the first convolution. dims: 2 or 3.
        shortcut: False leaves the "x +" out: the plain twin.
    """

    def __init__(
        self, before: int, after: int, stride: int = 1, dims: int = 2, shortcut: bool = True
    ) -> None:
        super().__init__()
        conv, norm = CONV[dims], NORM[dims]
        self.residual = nn.Sequential(
            conv(before, after, 3, stride, 1, bias=False),
            norm(after),
            nn.ReLU(),
            conv(after, after, 3, 1, 1, bias=False),
            norm(after),
        )
        self.shortcut: nn.Module | None = None
        if shortcut:
            same = stride == 1 and before == after
            projection = [conv(before, after, 1, stride, bias=False), norm(after)]
            self.shortcut = nn.Identity() if same else nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, *size) → (N, after, *size / stride)."""
        y = self.residual(x)
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


class ResNet(nn.Module):
    """Images (N, channels, *size) → class scores (N, classes).

    Arguments:
        classes, channels: of the output and the input. dims: 2 or 3.
        widths: channels of the stages; strides: of their blocks.
        shortcuts: False builds the plain twin.
    Raises CourseError for other dims.
    """

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        dims: int = 2,
        widths: tuple[int, ...] = (16, 32, 64, 128),
        strides: tuple[int, ...] = (1, 2, 2, 2),
        shortcuts: bool = True,
    ) -> None:
        super().__init__()
        if dims not in CONV:
            raise CourseError(f"A ResNet here has 2 or 3 dimensions, not {dims}.")
        self.stem = nn.Sequential(
            CONV[dims](channels, widths[0], 7, 1, 3, bias=False),
            NORM[dims](widths[0]),
            nn.ReLU(),
            POOL[dims](3, 2, 1),
        )
        before = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            BasicBlock(a, b, stride, dims, shortcuts)
            for a, b, stride in zip(before, widths, strides, strict=True)
        )
        self.width = widths[-1]
        self.head = nn.Linear(self.width, classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The feature maps after each stage."""
        x, found = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def cells(self) -> list[Cells]:
        """Where the cells of each stage's maps lie."""
        found, here = [], Cells().behind(self.stem)
        for stage in self.stages:
            here = here.behind(stage)
            found.append(here)
        return found

    def features(self, x: Tensor) -> Tensor:
        """The last maps' means over the image, (N, width)."""
        return self.maps(x)[-1].flatten(2).mean(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, *size) → (N, classes)."""
        return self.head(self.features(x))
