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

Input and output (N, 1, H, W): source in its unit, target in its own. Shrunk: generator width 64 →
12 and 9 → 3 residual blocks, discriminator width 64 → 32 with patches of 34 instead of 70 pixels,
because the images have 80 instead of 256; learning rates raised for hundreds instead of hundreds
of thousands of steps. The optional identity loss (weight 5 in the paper) is an argument.

Zhu et al. 2017, ICCV, doi 10.1109/ICCV.2017.244.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch
from course_lib.methods.base import Method
from course_lib.parts.adversarial import least_squares_critic, least_squares_generator
from course_lib.parts.translation.translators import (
    from_unit,
    patch_discriminator,
    resnet_generator,
    source_of,
    target_of,
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
    """Cycle-consistent adversarial networks. `cycle`, `identity`: weights of these losses."""

    learning_rate = 7e-4
    discriminator_rate = 5e-4

    def __init__(
        self, cycle: float = 10.0, identity: float = 0.0, width: int = 12, blocks: int = 3
    ) -> None:
        super().__init__()
        self.cycle, self.identity = cycle, identity
        self.there, self.back = resnet_generator(width, blocks), resnet_generator(width, blocks)
        self.judges = nn.ModuleDict({k: patch_discriminator(1, 32) for k in ("source", "target")})
        self.pools = {"source": Pool(), "target": Pool()}

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Both generators together, both discriminators together."""
        generators = [*self.there.parameters(), *self.back.parameters()]
        return {"generators": generators, "discriminators": self.judges.parameters()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's first momentum."""
        rate = self.learning_rate if player == "generators" else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The generators' loss, then the discriminators'."""
        real = {"source": source_of(batch), "target": target_of(batch, "unpaired_target")}
        fake = {"target": self.there(real["source"]), "source": self.back(real["target"])}
        yield "generators", self.generator_loss(real, fake)
        yield (
            "discriminators",
            sum(
                least_squares_critic(judge(real[side]), judge(self.pools[side](fake[side])))
                for side, judge in self.judges.items()
            ),
        )

    def generator_loss(self, real: dict[str, Tensor], fake: dict[str, Tensor]) -> Tensor:
        """Fool both discriminators, and come back; images (N, 1, H, W), −1 … 1."""
        loss = sum(least_squares_generator(self.judges[side](fake[side])) for side in fake)
        loss = loss + self.cycle * (
            F.l1_loss(self.back(fake["target"]), real["source"])
            + F.l1_loss(self.there(fake["source"]), real["target"])
        )
        if self.identity:
            loss = loss + self.identity * (
                F.l1_loss(self.there(real["target"]), real["target"])
                + F.l1_loss(self.back(real["source"]), real["source"])
            )
        return loss

    def predict(self, batch: Batch) -> Tensor:
        """The target image in its unit."""
        return from_unit(self.there(source_of(batch)), batch["target_range"])
