"""WGAN-GP: the critic is bound by its slope instead of by its weights.

New in the paper: clamped weights (`wgan.py`) push the critic towards very simple functions, and
its gradients explode or vanish with its depth. What the theory asks for is a slope of at most one,
and the best critic has a slope of exactly one on the lines between real and made images; so that is
what a penalty asks for, at one random place of each line:

    critic:     mean C(G(x)) - mean C(y) + 10 · mean (||∇C(x̂)||₂ - 1)²,   x̂ = ε y + (1 - ε) G(x)
    generator:  -a · mean C(G(x)) + p · mean (G(x) - y)²

The norm is taken over all pixels of one sample, so the critic may not mix samples: no batch
normalisation. Nothing is clamped; both players use Adam (0.5, 0.9), as in the authors' scripts for
small images. That the penalty weakens the game is what Ma et al. say (`ma_lsgan.py`), not they.

Input and output (N, 1, H, W) HU. All else is `wgan.py`, so that the three games compare.

Gulrajani et al. 2017, NeurIPS, arXiv:1704.00028.
"""

import torch
from torch import Tensor, nn

from course_lib.methods.base import Method
from course_lib.methods.denoising.wgan import WGAN
from course_lib.parts.adversarial import gradient_penalty


class WGANGP(WGAN):
    """Wasserstein game with a gradient penalty. `adversarial`, `pixel`, as in `WGAN`; `penalty`:
    weight of the penalty in the critic's loss."""

    def __init__(
        self, adversarial: float = 0.003, pixel: float = 1.0, penalty: float = 10.0
    ) -> None:
        super().__init__(adversarial, pixel)
        self.penalty = penalty

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam (0.5, 0.9), slower in the game."""
        rate = self.adversarial_rate if self.playing else self.learning_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.9))

    def after_step(self, player: str) -> None:
        """Nothing is clamped."""
        Method.after_step(self, player)

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """mean C(fake) - mean C(real), and the penalty."""
        distance = super().critic_loss(real, fake)
        return distance + self.penalty * gradient_penalty(self.critic, real, fake)
