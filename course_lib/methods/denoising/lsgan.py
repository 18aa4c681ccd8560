"""LSGAN: the discriminator learns by least squares, and pulls at what it already believes.

New in the paper: with a cross-entropy, a made image far on the real side of the border gives no
slope, however unlike the real ones it is. Squared distances to the labels 1 (real) and 0 (made)
pull until it lies where the real ones lie:

    discriminator:  ½ mean (D(y) - 1)² + ½ mean D(G(x))²
    generator:      a · ½ mean (D(G(x)) - 1)² + p · mean (G(x) - y)²

The discriminator ends linearly, without a sigmoid. One step of each in turn, Adam (0.5, 0.999), no
penalty and no clamping: the cheapest of the three games. (LS-GAN with a hyphen is also the name of
another one, the loss-sensitive GAN.)

Input and output (N, 1, H, W) HU. All else is `wgan.py`, so that the three games compare.

Mao et al. 2017, ICCV, doi 10.1109/ICCV.2017.304.
"""

import torch
from torch import Tensor, nn

from course_lib.methods.base import Method
from course_lib.methods.denoising.wgan import WGAN
from course_lib.parts.adversarial import least_squares_critic, least_squares_generator


class LSGAN(WGAN):
    """Least-squares game. `adversarial`, `pixel` as in `WGAN`."""

    critic_steps = 1

    def __init__(self, adversarial: float = 0.003, pixel: float = 1.0) -> None:
        super().__init__(adversarial, pixel)

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam (0.5, 0.999), slower in the game."""
        rate = self.adversarial_rate if self.playing else self.learning_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def after_step(self, player: str) -> None:
        """Nothing is clamped."""
        Method.after_step(self, player)

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """½ mean (D(real) - 1)² + ½ mean D(fake)²."""
        return least_squares_critic(self.critic(real), self.critic(fake))

    def deceived(self, fake: Tensor) -> Tensor:
        """½ mean (D(fake) - 1)²."""
        return 0.5 * least_squares_generator(self.critic(fake))
