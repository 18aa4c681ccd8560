"""The networks of DCGAN, for square pictures of 16, 32, 64 … pixels in [-1, 1].

No pooling and no hidden dense layer: strided convolutions all the way; batch norm everywhere but
at the generator's end and the discriminator's start; ReLU and tanh in the one, leaky ReLU in the
other; weights drawn from N(0, 0.02²). Source: Radford, Metz & Chintala 2016, ICLR,
arXiv:1511.06434.
"""

import torch
from torch import Tensor, nn

LATENT = 64


def start(network: nn.Module) -> nn.Module:
    """Weights ~ N(0, 0.02²); those of batch norm ~ N(1, 0.02²)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    return network


def generator(size: int = 32, width: int = 16, latent: int = LATENT, channels: int = 1):
    """z (N, latent) → (N, channels, size, size) in (-1, 1); `width` maps at half the size, doubled
    with each halving down to 4 pixels."""
    doublings = (size // 8).bit_length() - 1
    wide = width * 2**doublings
    layers = [nn.Unflatten(1, (latent, 1, 1)), *_up(latent, wide, first=True)]
    for _ in range(doublings):
        layers += _up(wide, wide // 2)
        wide //= 2
    layers += [nn.ConvTranspose2d(wide, channels, 4, 2, 1), nn.Tanh()]
    return start(nn.Sequential(*layers))


def _up(before: int, after: int, first: bool = False) -> list[nn.Module]:
    stride, padding = (1, 0) if first else (2, 1)
    grow = nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False)
    return [grow, nn.BatchNorm2d(after), nn.ReLU()]


class Discriminator(nn.Module):
    """(N, channels, size, size) in [-1, 1] → one logit for each, (N,): real if positive."""

    def __init__(self, size: int = 32, width: int = 16, channels: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        while size > 8:
            down = nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)
            layers += [down, nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)]
            width, size = 2 * width, size // 2
        self.layers = nn.Sequential(*layers)
        self.last = nn.Conv2d(width, 1, 4)
        start(self)

    def features(self, image: Tensor) -> Tensor:
        """The maps before the logit, (N, F)."""
        return self.layers(image).flatten(1)

    def forward(self, image: Tensor) -> Tensor:
        """(N,) logits."""
        return self.last(self.layers(image)).flatten()


def veiled(image: Tensor, deviation: float) -> Tensor:
    """The picture under fresh white noise, as a discriminator is shown it, real or made: of a few
    hundred pictures it otherwise learns the very grain, wins, and has nothing left to teach.

    Source: Sønderby et al. 2017, ICLR, arXiv:1610.04490 (instance noise).
    """
    return image + deviation * torch.randn_like(image)


def noise(count: int, random: torch.Generator | None = None, latent: int = LATENT) -> Tensor:
    """z ~ N(0, 1), (count, latent), on the processor."""
    return torch.randn(count, latent, generator=random)
