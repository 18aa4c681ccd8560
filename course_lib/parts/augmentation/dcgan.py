"""DCGAN: its networks, for square pictures of 16, 32, 64 … pixels in [-1, 1], and their game.

No pooling and no hidden dense layer: strided convolutions all the way; batch norm everywhere but
at the generator's end and the discriminator's start; ReLU and tanh in the one, leaky ReLU in the
other; weights drawn from N(0, 0.02²). Source: Radford, Metz & Chintala 2016, ICLR,
arXiv:1511.06434. The game is that of Goodfellow et al. 2014, NeurIPS, arXiv:1406.2661.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.augment import Change
from course_lib.parts.hounsfield import lung_range

LATENT = 64


def start(network: nn.Module) -> nn.Module:
    """Weights ~ N(0, 0.02²); those of batch norm ~ N(1, 0.02²)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    return network


def generator(
    size: int = 32, channels: int = 1, width: int = 16, latent: int = LATENT
) -> nn.Module:
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

    def __init__(self, size: int = 32, channels: int = 1, width: int = 16) -> None:
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


def noise(count: int, random: torch.Generator | None = None, latent: int = LATENT) -> Tensor:
    """z ~ N(0, 1), (count, latent), on the processor."""
    return torch.randn(count, latent, generator=random)


class Pair(nn.Module):
    """A generator and a discriminator that play against each other.

    `seen` is how real patches are changed before the discriminator sees them; `veil`, the standard
    deviation of the fresh white noise under which it sees pictures, real or made: of a few hundred
    it otherwise learns the very grain, wins, and has nothing left to teach. It fades, so that in
    the end the discriminator knows pictures as they are (instance noise: Sønderby et al. 2017,
    ICLR, arXiv:1610.04490).
    """

    seen = Change(noise=0.0)
    veil = 0.25

    def __init__(self, generator: nn.Module, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def losses(self, patches: Tensor, done: float = 0.0) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's loss on real patches (N, C, H, W) HU and as many made ones, without
        a slope for the generator; then the generator's. `done`: the share of the training that is
        behind, with which the noise fades."""
        real = lung_range(self.seen(patches, torch.default_generator))
        made = self.generator(noise(len(real)).to(real.device))
        veil = self.veil * (1 - done)
        verdicts = (self.verdict(picture, veil) for picture in (real, made.detach()))
        yield "discriminator", discriminator_cross_entropy(*verdicts)
        yield "generator", non_saturating_generator(self.verdict(made, veil))

    def verdict(self, picture: Tensor, veil: float) -> Tensor:
        """The discriminator's logits (N,) of pictures under noise."""
        return self.discriminator(picture + veil * torch.randn_like(picture))


def pair(size: int, channels: int, width: int) -> Pair:
    """A new pair for pictures of `size` pixels."""
    return Pair(generator(size, channels, width), Discriminator(size, channels, width))


class Game:
    """What methods share that train such pairs: who plays, how fast each learns, and for what.

    A method with one pair calls it `pair`; one with several says in `pairs` what they are called.
    """

    learning_rate = 1e-3
    discriminator_rate = 2.5e-4
    average = 0.99
    done: float
    pair: Pair

    @property
    def pairs(self) -> dict[str, Pair]:
        """What stands behind the players' names → pair."""
        return {"": self.pair}

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Each pair's discriminator and generator."""
        return {
            role + whose: getattr(pair, role).parameters()
            for whose, pair in self.pairs.items()
            for role in ("discriminator", "generator")
        }

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with DCGAN's β₁ = 0.5; discriminators learn at a quarter of the speed."""
        rate = self.learning_rate if player.startswith("generator") else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def losses(self, batch: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """The pair's game, on all patches."""
        yield from self.pair.losses(batch["image"], self.done)
