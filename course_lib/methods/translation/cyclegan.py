"""CycleGAN: two translators that undo each other need no pairs.

New in the paper: training pairs are not needed. A generator G translates sources x to targets, a
second one F translates back; a discriminator on each side asks whether single images look real,
and going there and back must return where one started:

    discriminators:  mean (D_Y(y) - 1)² + mean D_Y(G(x))², and the same for D_X
    generators:      mean (D_Y(G(x)) - 1)² + mean (D_X(F(y)) - 1)²
                     + 10 · (|F(G(x)) - x|₁ + |G(F(y)) - y|₁)

x and y are drawn independently, on paired data sets too. The discriminators see patches, without
any condition, and fakes out of a pool of the last 50. Nothing in the losses holds a boundary of
G(x) where it is in x: F can learn to move it back.

Input and output (N, 1, H, W): source in its unit, target in its own. Shrunk: width 64 → 16 in all
networks, 9 → 3 residual blocks, patches of 34 instead of 70 pixels, because the images have 80
instead of 256. Images are mirrored at random; the answer is that of averaged weights. The weights
of the losses are options, that of the optional identity loss (5 in the paper) among them; the cycle
alone and the GAN alone are the paper's ablations.

Chosen on validation after 30 CPU seconds, under 400 steps where the paper takes hundreds of
thousands: rates of 4e-4 and 3e-4 (21.9 dB with a generator of 12 and discriminators of 32 maps,
21.3 with 16 in all), against 7e-4 and 5e-4 (21.0), 2e-3 and 1e-3 (19.9), and the paper's 2e-4
(19.1). One seed each: less than half a decibel is chance.

Zhu et al. 2017, ICCV, doi 10.1109/ICCV.2017.244.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Method, Sample
from course_lib.parts.adversarial import least_squares_critic, least_squares_generator
from course_lib.parts.translation.translators import (
    from_unit,
    mirrored,
    patch_discriminator,
    resnet_generator,
    to_unit,
)


class Pool:
    """The last fakes: an image put in comes out at once, or, half the time, an older one does."""

    def __init__(self, size: int = 50) -> None:
        self.size, self.images = size, []

    def __call__(self, fakes: Tensor) -> Tensor:
        """As many images as given, (N, 1, H, W)."""
        result = []
        for fake in fakes.detach():
            if len(self.images) < self.size:
                self.images.append(fake)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                self.images[place], fake = fake, self.images[place]
            result.append(fake)
        return torch.stack(result)


class CycleGAN(Method):
    """Cycle-consistent adversarial networks. `adversarial`, `cycle`, `identity`: weights of these
    losses; 0 leaves one out."""

    learning_rate = 4e-4
    discriminator_rate = 3e-4
    average = 0.98

    def __init__(
        self,
        adversarial: float = 1.0,
        cycle: float = 10.0,
        identity: float = 0.0,
        width: int = 16,
        blocks: int = 3,
    ) -> None:
        super().__init__()
        self.adversarial, self.cycle, self.identity = adversarial, cycle, identity
        self.width, self.blocks = width, blocks

    def build(self, facts: Facts) -> None:
        """Two translators; two discriminators, if they have a weight, with empty pools."""
        self.there, self.back = (resnet_generator(self.width, self.blocks) for _ in range(2))
        sides = ("source", "target") if self.adversarial else ()
        self.judges = nn.ModuleDict({side: patch_discriminator(1, self.width) for side in sides})
        self.pools = {side: Pool() for side in sides}

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Both generators together, both discriminators together."""
        players = {"generators": [*self.there.parameters(), *self.back.parameters()]}
        if self.judges:
            players["discriminators"] = [*self.judges.parameters()]
        return players

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's first momentum."""
        rate = self.learning_rate if player == "generators" else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Random images, half of them mirrored left to right."""
        return mirrored(sample(train, count))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The generators' loss, then the discriminators'."""
        real = {
            "source": to_unit(batch["source"], self.facts.source_range),
            "target": to_unit(batch["unpaired_target"], self.facts.target_range),
        }
        fake = {"target": self.there(real["source"]), "source": self.back(real["target"])}
        yield "generators", self.weighted(self.judged(real, fake))
        if self.judges:
            found = (
                least_squares_critic(judge(real[side]), judge(self.pools[side](fake[side])))
                for side, judge in self.judges.items()
            )
            yield "discriminators", sum(found)

    def judged(self, real: dict[str, Tensor], fake: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of the generators' loss that have a weight: fool both discriminators, come
        back, leave alone what is a target already; images (N, 1, H, W), −1 … 1."""
        terms = {}
        if self.judges:
            scores = (self.judges[side](fake[side]) for side in fake)
            terms["adversarial"] = sum(map(least_squares_generator, scores))
        if self.cycle:
            home = F.l1_loss(self.back(fake["target"]), real["source"])
            terms["cycle"] = home + F.l1_loss(self.there(fake["source"]), real["target"])
        if self.identity:
            same = F.l1_loss(self.there(real["target"]), real["target"])
            terms["identity"] = same + F.l1_loss(self.back(real["source"]), real["source"])
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The target image in its unit."""
        fake = self.there(to_unit(batch["source"], self.facts.source_range))
        return from_unit(fake, self.facts.target_range)
