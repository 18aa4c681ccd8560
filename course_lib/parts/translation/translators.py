"""What the adversarial translators share: number ranges, the generator, the patch discriminator.

Networks see −1 … 1. The range that is mapped there belongs to the data set, not to the image: a
CT number must keep its meaning from one patient to the next.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def to_unit(image: Tensor, limits: tuple[float, float]) -> Tensor:
    """Images of any shape with the limits of their data set, low → −1 and high → 1."""
    low, high = limits
    return 2 * (image - low) / (high - low) - 1


def from_unit(image: Tensor, limits: tuple[float, float]) -> Tensor:
    """The way back: −1 → low, 1 → high, in the image's unit."""
    low, high = limits
    return low + (image + 1) / 2 * (high - low)


def mirrored(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch of images (N, C, H, W) of which each case is mirrored left to right or not, at random
    and with all its images alike."""
    flip = torch.rand(len(next(iter(batch.values())))) < 0.5
    return {
        name: torch.where(flip.to(value.device)[:, None, None, None], value.flip(-1), value)
        for name, value in batch.items()
    }


def start(network: nn.Module) -> nn.Module:
    """Convolutions start from N(0, 0.02), as in pix2pix and CycleGAN."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions, mirrored at the border, with instance norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def resnet_generator(width: int = 16, blocks: int = 4) -> nn.Sequential:
    """7x7 convolution, two halvings, residual blocks, two doublings, 7x7 convolution, tanh.

    (N, 1, H, W) → (N, 1, H, W), sides divisible by four. Johnson et al. 2016, with the changes of
    Zhu et al. 2017, doi 10.1109/ICCV.2017.244 (there width 64 and 9 blocks).
    """

    def normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
        return [convolution, nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]

    return start(
        nn.Sequential(
            nn.ReflectionPad2d(3),
            *normed(nn.Conv2d(1, width, 7), width),
            *normed(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), 2 * width),
            *normed(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), 4 * width),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            *normed(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1), 2 * width),
            *normed(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, 1, 7),
            nn.Tanh(),
        )
    )


def patch_discriminator(
    channels: int = 1, width: int = 16, layers: int = 2, norm: str = "INSTANCE"
) -> nn.Module:
    """Scores of overlapping patches, without a sigmoid: (N, channels, H, W) → (N, 1, h, w).

    4x4 convolutions, `layers` of them with stride 2; with two, a score sees 34x34 pixels, with
    three 70x70, as in the papers.
    """
    from monai.networks.nets import PatchDiscriminator

    class Scores(PatchDiscriminator):
        """MONAI's network without the features that it returns besides."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[-1]

    return Scores(
        spatial_dims=2, channels=width, in_channels=channels, num_layers_d=layers, norm=norm
    )
