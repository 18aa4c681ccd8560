"""WGAN: a critic whose score is a distance, so that a generator learns from it however bad it is.

New in the paper: a discriminator says real or not, and where it is sure its slope vanishes. A
critic C, bound to change no faster than its input, measures instead how far the made images lie
from the real ones, as earth to be moved (Kantorovich and Rubinstein):

    critic:     mean C(G(x)) - mean C(y),   then every weight of C is clamped to [-c, c]
    generator:  -a · mean C(G(x)) + p · mean (G(x) - y)²

Neither a sigmoid nor a logarithm; several critic steps for each of the generator; RMSprop for the
critic, since momentum makes a clamped critic swing. The paper draws images from noise. Here the
game is the engine of a denoiser, as in WGAN-VGG, whose generator and critic it borrows, so that
WGAN, WGAN-GP and LSGAN differ in the game alone: the pixels teach first, then the critic joins.
`pixel` = 0 leaves the pixels out of that second stage.

Input and output (N, 1, H, W) HU. Shrunk as in `wgan_vgg.py`; rates higher for fewer steps.

Arjovsky, Chintala & Bottou 2017, ICML, arXiv:1701.07875.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method, Stage
from course_lib.methods.denoising.wgan_vgg import critic, generator
from course_lib.parts.adversarial import wasserstein_critic, wasserstein_generator
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class WGAN(Method):
    """Wasserstein game with clamped weights. `adversarial`, `pixel`: weights of the generator's two
    terms once the critic plays."""

    stages = (Stage("pixels", 3, ("generator",)), Stage("game", 1))
    schedule = "stage"  # the generator starts its second stage at the adversarial rate
    adversarial_rate = 2e-4
    critic_steps = 5
    bound = 0.01

    def __init__(self, adversarial: float = 0.01, pixel: float = 1.0) -> None:
        super().__init__()
        self.adversarial, self.pixel = adversarial, pixel

    def build(self, facts: Facts) -> None:
        """Generator and critic."""
        self.generator, self.critic = generator(), critic()

    @property
    def playing(self) -> bool:
        """Whether the critic takes part in the present stage."""
        return self.stage == "game"

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Two players."""
        return {"critic": self.critic.parameters(), "generator": self.generator.parameters()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """RMSprop in the game, without momentum; Adam for the pixels."""
        if self.playing:
            return torch.optim.RMSprop(parameters, lr=self.adversarial_rate)
        return super().optimiser(player, parameters)

    def after_step(self, player: str) -> None:
        """Clamps every weight of the critic after each of its steps."""
        if player == "critic":
            with torch.no_grad():
                for weight in self.critic.parameters():
                    weight.clamp_(-self.bound, self.bound)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The critic's losses, then the generator's; at first the pixels alone."""
        low, normal = (relative_attenuation(batch[k]) for k in ("low_dose", "normal_dose"))
        if not self.playing:
            yield "generator", F.mse_loss(self.generator(low), normal)
            return
        with torch.no_grad():
            fake = self.generator(low)
        for _ in range(self.critic_steps):
            yield "critic", self.critic_loss(normal, fake)
        yield "generator", self.weighted(self.judged(self.generator(low), normal))

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """mean C(fake) - mean C(real)."""
        return wasserstein_critic(self.critic(real), self.critic(fake))

    def deceived(self, fake: Tensor) -> Tensor:
        """How little the critic is deceived: -mean C(fake)."""
        return wasserstein_generator(self.critic(fake))

    def judged(self, denoised: Tensor, normal: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss in the game that have a weight."""
        terms = {}
        if self.adversarial:
            terms["adversarial"] = self.deceived(denoised)
        if self.pixel:
            terms["pixel"] = F.mse_loss(denoised, normal)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The denoised scan in HU."""
        return hounsfield(self.generator(relative_attenuation(batch["low_dose"])))
