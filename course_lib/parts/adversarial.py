"""Losses of the adversarial game, shared by all methods that play it.

A critic or discriminator maps images (N, C, …) to scores of any shape without a sigmoid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """mean C(fake) - mean C(real): minimised, it estimates the earth-mover distance (negated).

    Arjovsky, Chintala & Bottou 2017, ICML, arXiv:1701.07875.
    """
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-mean C(fake)."""
    return -fake.mean()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """mean (||∇ C(x̂)||₂ - 1)², with x̂ = ε·real + (1 - ε)·fake and one ε per sample.

    The norm is taken over all pixels of a sample; the penalty can be differentiated again.
    Gulrajani et al. 2017, NeurIPS, arXiv:1704.00028.
    """
    epsilon = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    between = (epsilon * real + (1 - epsilon) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """½ (mean (D(real) - 1)² + mean D(fake)²): real is 1, fake is 0.

    Mao et al. 2017, ICCV, doi 10.1109/ICCV.2017.304.
    """
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(fake: Tensor) -> Tensor:
    """mean (D(fake) - 1)²."""
    return (fake - 1).square().mean()


def discriminator_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """mean -log σ(D(x)) + mean -log(1 - σ(D(G(z)))) of logits: is it real, or made?

    Goodfellow et al. 2014, NeurIPS, arXiv:1406.2661.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """mean -log σ(D(G(z))) of logits; unlike mean log(1 - σ(D(G(z)))), its slope does not vanish
    where the discriminator is sure. Goodfellow et al. 2014."""
    return F.softplus(-fake).mean()
