"""A plain U-Net in 2D or 3D whose skips can be cut, and whose features can be looked at.

Levels of two convolutions, max-pooling down, 2x2 deconvolution up, skips by concatenation. MONAI's
UNet is a residual variant and its BasicUNet has no switch for the skips, hence this one.

Ronneberger, Fischer & Brox 2015, MICCAI, doi 10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016,
doi 10.1007/978-3-319-46723-8_49.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def padded(image: Tensor, multiples: Sequence[int]) -> Tensor:
    """The image with its last axes continued at their ends to multiples of the given numbers.

    Crop the network's answer back to the image's sides.
    """
    spatial = image.shape[2:]
    factors = [1] * (len(spatial) - len(multiples)) + list(multiples)
    missing = [-side % factor for side, factor in zip(spatial, factors, strict=True)]
    if not any(missing):
        return image
    return F.pad(image, [n for k in reversed(missing) for n in (0, k)], mode="replicate")


def two_convolutions(before: int, after: int, dims: int = 2) -> nn.Sequential:
    """(3x3 convolution, batch normalisation, ReLU) twice; sides stay."""
    convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
    return nn.Sequential(
        convolution(before, after, 3, padding=1, bias=False),
        norm(after),
        nn.ReLU(inplace=True),
        convolution(after, after, 3, padding=1, bias=False),
        norm(after),
        nn.ReLU(inplace=True),
    )


class UNetwork(nn.Module):
    """(N, inputs, *spatial) → (N, outputs, *spatial), sides of any length.

    Arguments:
        widths: maps of each level; one pooling between two levels.
        skips: whether the decoder sees the encoder's maps.
        extra: channels of a second input that joins after the first pooling.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        dims: int = 2,
        skips: bool = True,
        extra: int = 0,
    ) -> None:
        super().__init__()
        self.skips, self.dims = skips, dims
        pool, up, convolution = (
            (nn.MaxPool2d, nn.ConvTranspose2d, nn.Conv2d)
            if dims == 2
            else (nn.MaxPool3d, nn.ConvTranspose3d, nn.Conv3d)
        )
        self.pool = pool(2)
        ins = [inputs, widths[0] + extra, *widths[1:-1]]
        self.down = nn.ModuleList(
            two_convolutions(before, after, dims) for before, after in zip(ins, widths, strict=True)
        )
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(up(below, here, 2, stride=2) for here, below in pairs)
        self.merge = nn.ModuleList(
            two_convolutions(2 * here if skips else here, here, dims) for here, _ in pairs
        )
        self.head = convolution(widths[0], outputs, 1)

    def features(self, image: Tensor, extra: Tensor | None = None) -> Tensor:
        """The decoder's last maps (N, widths[0], *spatial); sides divide by 2^poolings."""
        seen = []
        x = image
        for level, block in enumerate(self.down):
            if level:
                x = self.pool(x)
            if level == 1 and extra is not None:
                x = torch.cat([x, extra], dim=1)
            x = block(x)
            seen.append(x)
        for up, merge, skip in zip(self.up, self.merge, seen[-2::-1], strict=True):
            x = up(x)
            x = merge(torch.cat([skip, x], dim=1) if self.skips else x)
        return x

    @property
    def multiple(self) -> int:
        """What sides must be a multiple of."""
        return 2 ** len(self.up)

    def forward(self, image: Tensor) -> Tensor:
        """Class scores; pads the image where its sides do not divide."""
        sides = [slice(None), slice(None), *(slice(n) for n in image.shape[2:])]
        whole = padded(image, [self.multiple] * self.dims)
        return self.head(self.features(whole))[tuple(sides)]
