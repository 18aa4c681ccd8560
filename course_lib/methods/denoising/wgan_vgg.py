"""WGAN-VGG: a critic gives denoised CT the texture of normal dose, features keep the anatomy.

New in the paper: no pixel loss. The mean squared error averages over all images that fit the
noisy one, and an average is smooth. A Wasserstein critic C asks instead whether the output looks
like a normal-dose image, and a distance of deep features φ asks whether it shows the same thing:

    critic:     mean C(G(x)) - mean C(y) + 10 · mean (||∇C(x̂)||₂ - 1)²
    generator:  -a · mean C(G(x)) + p · mean (φ(G(x)) - φ(y))² + m · mean (G(x) - y)²

with four critic steps per generator step. The paper's method has m = 0. The weights are arguments,
so that its ablations are here too: WGAN-MSE (p = 0, m > 0), features only (a = 0), WGAN only
(p = 0), and the plain CNN-MSE (a = p = 0, m = 1).

Input and output (N, 1, H, W) HU. Shrunk: critic widths a quarter, its hidden layer 1024 → 128. φ
is EfficientNet-Lite0 with ImageNet weights instead of VGG-19, whose weights need torchvision; its
maps are standardised, so the paper's weights (a = 1, p = 0.1) do not carry over: a and p were
chosen on validation, as was the layer of φ (a quarter of the resolution; VGG's is a sixteenth).
In a few hundred steps instead of the paper's tens of thousands, a critic only disturbs a generator
that cannot draw anatomy yet: it joins for the last quarter of the training (before, the features
alone; no pixel loss there either). The survey calls the critic loss WGAN; paper and code use the
gradient penalty.

Yang et al. 2018, IEEE TMI 37(6):1348-1357, doi 10.1109/TMI.2018.2827462.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method, Stage
from course_lib.parts.adversarial import (
    gradient_penalty,
    wasserstein_critic,
    wasserstein_generator,
)
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.perceptual import PerceptualLoss
from course_lib.parts.pretrained import efficientnet_lite0


def generator(width: int = 32, layers: int = 8) -> nn.Sequential:
    """Eight 3x3 convolutions without any shortcut: (N, 1, H, W) → (N, 1, H, W)."""
    widths = [1, *[width] * (layers - 1), 1]
    modules: list[nn.Module] = []
    for before, after in pairwise(widths):
        modules += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules[:-1])


def critic(width: int = 16, hidden: int = 128, slices: int = 1) -> nn.Sequential:
    """Six 3x3 convolutions with strides 1, 2, 1, 2, 1, 2, then two dense layers: patches
    (N, slices, H, W) of any size → scores (N, 1) without bound. The maps are averaged to 4x4 before
    the dense layers, so that the number of weights does not depend on the patch."""
    widths = [slices, width, width, 2 * width, 2 * width, 4 * width, 4 * width]
    modules: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(widths)):
        modules += [
            nn.Conv2d(before, after, 3, stride=1 + number % 2, padding=1),
            nn.LeakyReLU(0.2),
        ]
    dense = [nn.Linear(widths[-1] * 16, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)]
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(4), nn.Flatten(), *dense)


class WGANVGG(Method):
    """Wasserstein GAN with a perceptual loss."""

    adversarial_rate = 3e-4
    schedule = "stage"  # the generator starts its second stage at the adversarial rate
    critic_steps = 4
    penalty = 10.0

    def __init__(
        self, adversarial: float = 0.3, perceptual: float = 1.0, pixel: float = 0.0
    ) -> None:
        super().__init__()
        self.adversarial, self.perceptual, self.pixel = adversarial, perceptual, pixel
        if adversarial and (perceptual or pixel):
            self.stages = (Stage("anatomy", 3, ("generator",)), Stage("adversarial", 1))

    def build(self, facts: Facts) -> None:
        """Generator, critic and feature network; what has no weight in the loss is left out."""
        self.generator = generator()
        self.critic = critic() if self.adversarial else None
        self.features = PerceptualLoss(efficientnet_lite0(), group=2) if self.perceptual else None

    @property
    def playing(self) -> bool:
        """Whether the critic takes part in the present stage."""
        return self.critic is not None and self.stage != "anatomy"

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Two players; without the critic, the generator alone."""
        players = {"generator": self.generator.parameters()}
        if self.critic is not None:
            players["critic"] = self.critic.parameters()
        return players

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's momentum (0.5, 0.9), slower once the critic plays."""
        rate = self.adversarial_rate if self.playing else self.learning_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.9))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Four critic losses, then the generator's."""
        low, normal = (relative_attenuation(batch[k]) for k in ("low_dose", "normal_dose"))
        if self.playing:
            with torch.no_grad():
                fake = self.generator(low)
            for _ in range(self.critic_steps):
                yield "critic", self._critic_loss(normal, fake)
        yield "generator", self.weighted(self.judged(self.generator(low), normal))

    def _critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        distance = wasserstein_critic(self.critic(real), self.critic(fake))
        return distance + self.penalty * gradient_penalty(self.critic, real, fake)

    def judged(self, denoised: Tensor, normal: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss that have a weight."""
        terms = {}
        if self.playing:
            terms["adversarial"] = wasserstein_generator(self.critic(denoised))
        if self.features is not None:
            terms["perceptual"] = self.features(denoised / 2, normal / 2)
        if self.pixel:
            terms["pixel"] = F.mse_loss(denoised, normal)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The denoised scan in HU."""
        return hounsfield(self.generator(relative_attenuation(batch["low_dose"])))
