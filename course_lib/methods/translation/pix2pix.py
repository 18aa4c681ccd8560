"""Pix2pix: a conditional GAN for pairs.

New in the paper: one recipe for all paired translation. L1 to the target y secures what is
certain, a discriminator on overlapping patches of the *pair* (x, image) asks for the rest:

    discriminator:  ½ [BCE(D(x, y), 1) + BCE(D(x, G(x)), 0)]
    generator:      BCE(D(x, G(x)), 1) + 100 · |G(x) - y|₁

L1's minimum is the median of all targets that a source may have: with pairs that do not lie on each
other, that median is blurred. Dropout in the decoder is the only noise; it stays on at test time,
as in the paper, here with a fixed seed. Both weights are options: with `adversarial=0` what remains
is a U-Net with L1, with `l1=0` a conditional GAN, the paper's two ablations.

Input and output (N, 1, H, W): source in its unit, target in its own. Shrunk: 8 halvings → 4 and
width 64 → 16 in both networks, patches of 34 instead of 70 pixels, because the images have 80
instead of 256; dropout in the innermost of the decoder's levels instead of in three of eight.
Batches of 4 with batch norm, whose running statistics serve at test, where the paper has batches
of 1 and statistics of the test image; mirrored, but not cropped.

Chosen on validation, at equal time: batches of 4 for 1, batch norm for instance norm, a
discriminator as wide as the generator for twice as wide, dropout in one level for two, rates of
2e-3 and 1e-3 for 1e-3 and the paper's 2e-4, mirroring: 25.6 → 31.6 dB in all. L1 alone: 30.2.

Isola et al. 2017, CVPR, doi 10.1109/CVPR.2017.632.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import device
from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Method, Sample
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.translation.translators import (
    from_unit,
    mirrored,
    patch_discriminator,
    start,
    to_unit,
)


class UNet(nn.Module):
    """4x4 convolutions that halve and double, skips concatenated, dropout in the inner decoder:
    (N, 1, H, W) → (N, 1, H, W), sides divisible by 2 ** len(widths)."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 64), dropout: float = 0.5) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = 1
        for level, width in enumerate(widths):
            inner = [nn.LeakyReLU(0.2), nn.Conv2d(before, width, 4, 2, 1), nn.BatchNorm2d(width)]
            self.down.append(nn.Sequential(*inner) if level else nn.Conv2d(1, width, 4, 2, 1))
            before = width
        for level, width in enumerate(reversed(widths[:-1])):
            layers = [nn.ConvTranspose2d(before, width, 4, 2, 1), nn.BatchNorm2d(width)]
            layers += [nn.Dropout(dropout)] if not level else []
            self.up.append(nn.Sequential(nn.ReLU(), *layers))
            before = 2 * width
        last = nn.ConvTranspose2d(before, 1, 4, 2, 1)
        self.up.append(nn.Sequential(nn.ReLU(), last, nn.Tanh()))
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([x, skips.pop()], 1))
        return x


class Pix2Pix(Method):
    """Conditional adversarial network.

    Arguments:
        adversarial, l1: weights of its two losses; 0 leaves one out.
        width: maps of both networks' first layers.
    """

    learning_rate = 2e-3
    discriminator_rate = 1e-3
    batch = 4

    def __init__(self, adversarial: float = 1.0, l1: float = 100.0, width: int = 16) -> None:
        super().__init__()
        self.adversarial, self.l1, self.width = adversarial, l1, width

    def build(self, facts: Facts) -> None:
        """The U-Net, and the discriminator if it has a weight."""
        width = self.width
        self.generator = UNet((width, 2 * width, 4 * width, 4 * width))
        self.discriminator = (
            patch_discriminator(2, width, norm="BATCH") if self.adversarial else None
        )

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Two players; without the adversarial loss, the generator alone."""
        players = {"generator": self.generator.parameters()}
        if self.discriminator is not None:
            players["discriminator"] = self.discriminator.parameters()
        return players

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's first momentum."""
        rate = self.learning_rate if player == "generator" else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Random pairs, half of them mirrored left to right."""
        return mirrored(sample(train, count))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's loss, then the generator's."""
        source = to_unit(batch["source"], self.facts.source_range)
        target = to_unit(batch["target"], self.facts.target_range)
        fake = self.generator(source)
        if self.discriminator is not None:
            real = self._judge(source, target)
            judged = self._judge(source, fake.detach())
            yield "discriminator", 0.5 * discriminator_cross_entropy(real, judged)
        terms = {}
        if self.l1:
            terms["l1"] = F.l1_loss(fake, target)
        if self.discriminator is not None:
            terms["adversarial"] = non_saturating_generator(self._judge(source, fake))
        yield "generator", self.weighted(terms)

    def _judge(self, source: Tensor, image: Tensor) -> Tensor:
        return self.discriminator(torch.cat([source, image], 1))

    def predict(self, batch: Batch) -> Tensor:
        """The target image in its unit, with dropout on."""
        for layer in self.generator.modules():
            if isinstance(layer, nn.Dropout):
                layer.train()
        with device.seeded(0):
            fake = self.generator(to_unit(batch["source"], self.facts.source_range))
        return from_unit(fake, self.facts.target_range)
