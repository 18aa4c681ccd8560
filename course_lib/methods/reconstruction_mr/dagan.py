"""DAGAN: a U-Net that refines the aliased picture, pushed by four losses and a discriminator.

New in the paper: refinement learning, the network draws only what is missing and its input is
added, and a content loss in three spaces beside the adversarial one:

    output = clip(x_zf + U(x_zf), -1, 1)
    loss = a · ||o - x*|| / ||x*||  +  b · mean (|F o'| - |F x*'|)²  +  c · mean (φ(o) - φ(x*))²
           - g · log D(o)                        x' = (x + 1) / 2, F not normalised
    discriminator: - log D(x*) - log (1 - D(o))

There is no data consistency anywhere: what the network draws is never compared with the samples,
neither in training nor in use. Look at its errors with that in mind.

Magnitudes (N, 1, H, W), scaled so that 0 … 1.2 times the brightest zero-filled pixel becomes
-1 … 1; the output borrows the phase of the zero-filled picture. Shrunk: 5 levels from 16 channels
instead of 8 from 64; φ is EfficientNet-Lite0 with ImageNet weights instead of VGG-16, whose weights
need torchvision; its maps are standardised, so the paper's c = 0.0025 does not carry over: c is 1,
not searched. a = 15, b = 0.1 and g = 1 are the paper's, and what they weigh are the terms of the
authors' code: the norm is not squared, and the transform sums over all pixels.

Yang et al. 2018, IEEE TMI 37(6):1310-1321, doi 10.1109/TMI.2017.2785879.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.perceptual import PerceptualLoss
from course_lib.parts.pretrained import efficientnet_lite0

HEADROOM = 1.2


def down(before: int, after: int) -> nn.Sequential:
    """Half the resolution: a 4x4 convolution of stride 2."""
    return nn.Sequential(
        nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)
    )


def up(before: int, after: int) -> nn.Sequential:
    """Twice the resolution: a 4x4 transposed convolution of stride 2."""
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()
    )


class Generator(nn.Module):
    """U-Net with concatenating shortcuts: (N, 1, H, W) in [-1, 1] → the same, refined."""

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        widths = [min(width * 2**k, 8 * width) for k in range(levels)]
        self.down = nn.ModuleList(map(down, [1, *widths[:-1]], widths))
        below = [widths[-1], *(2 * w for w in reversed(widths[:-1]))]
        self.up = nn.ModuleList(map(up, below, [*reversed(widths[:-1]), width]))
        self.last = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # at first, what is missing is nothing
        nn.init.zeros_(self.last.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """clip(x + U(x), -1, 1)."""
        maps, seen = picture, []
        for layer in self.down:
            maps = layer(maps)
            seen.append(maps)
        for number, layer in enumerate(self.up):
            maps = layer(maps if number == 0 else torch.cat([maps, seen[-1 - number]], dim=1))
        return (picture + torch.tanh(self.last(maps))).clamp(-1, 1)


def discriminator(width: int = 16, levels: int = 4) -> nn.Sequential:
    """Convolutions of stride 2, then one score: (N, 1, H, W) → (N, 1), without sigmoid."""
    widths = [1, *(width * 2**k for k in range(levels))]
    first = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers = [down(a, b) for a, b in pairwise(widths[1:])]
    head = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * widths[-1], 1)]
    return nn.Sequential(*first, *layers, *head)


class DAGAN(Method):
    """Weights: `pixel` a, `frequency` b, `perceptual` c, `adversarial` g; 0 leaves a term out."""

    learning_rate = 1e-3

    def __init__(
        self,
        pixel: float = 15.0,
        frequency: float = 0.1,
        perceptual: float = 1.0,
        adversarial: float = 1.0,
        levels: int = 5,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.pixel, self.frequency = pixel, frequency
        self.perceptual, self.adversarial = perceptual, adversarial
        self.levels, self.width = levels, width

    def build(self, facts: Facts) -> None:
        """Generator, discriminator and feature network; what has no weight is left out."""
        self.generator = Generator(self.levels, self.width)
        self.discriminator = discriminator() if self.adversarial else None
        self.features = PerceptualLoss(efficientnet_lite0(), group=2) if self.perceptual else None

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Generator and, unless its weight is 0, discriminator."""
        players = {"generator": self.generator.parameters()}
        if self.discriminator is not None:
            players["discriminator"] = self.discriminator.parameters()
        return players

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's momentum of 0.5."""
        rate = self.learning_rate if player == "generator" else self.learning_rate / 5
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's, then the generator's."""
        given, scale = self._scaled(batch)
        real = (2 * batch["target"].abs() / scale - 1).clamp(-1, 1)
        fake = self.generator(given)
        if self.discriminator is not None:
            judged = self.discriminator(real), self.discriminator(fake.detach())
            yield "discriminator", discriminator_cross_entropy(*judged)
        yield "generator", self.weighted(self.judged(fake, real))

    def judged(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss that have a weight; images (N, 1, H, W), -1 … 1."""
        terms = {}
        if self.pixel:
            error = (fake - real).flatten(1).norm(dim=1) / real.flatten(1).norm(dim=1)
            terms["pixel"] = error.mean()
        if self.frequency:
            spectra = (torch.fft.fft2((x.float() + 1) / 2).abs() for x in (fake, real))
            terms["frequency"] = F.mse_loss(*spectra)
        if self.features is not None:
            terms["perceptual"] = self.features((fake + 1) / 2, (real + 1) / 2)
        if self.discriminator is not None:
            terms["adversarial"] = non_saturating_generator(self.discriminator(fake))
        return terms

    def _scaled(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The zero-filled magnitude in [-1, 1], and what stands for 2 there."""
        magnitude = batch["zero_filled"].abs()
        scale = HEADROOM * magnitude.amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        return 2 * magnitude / scale - 1, scale

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction, complex."""
        given, scale = self._scaled(batch)
        magnitude = scale * (self.generator(given) + 1) / 2
        return torch.polar(magnitude, batch["zero_filled"].angle())
