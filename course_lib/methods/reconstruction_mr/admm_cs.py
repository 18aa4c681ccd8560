"""Compressed sensing by ADMM: of all pictures that fit the samples, the one with fewest edges.

    min over x of  ½ ||M F x - y||² + λ Σ |∇x|

Lustig, Donoho & Pauly 2007, Magnetic Resonance in Medicine, doi 10.1002/mrm.21391 (sparse MRI);
Boyd et al. 2011, Foundations and Trends in Machine Learning, doi 10.1561/2200000016 (ADMM). The
edges get a variable of their own, z = ∇x, and u keeps account of how far they disagree:

    x ← F⁻¹ [(y + ρ F ∇ᴴ(z - u)) / (M + ρ |∇̂|²)]     data: exact in k-space, ∇ is periodic there
    z ← (1 - λ / (ρ |∇x + u|))₊ (∇x + u)               shrinkage
    u ← u + ∇x - z                                      multiplier

Samples (N, 1, H, W) complex → picture (N, 1, H, W) complex. Picture and λ are scaled by the
brightest zero-filled pixel, so that one λ serves all pictures. Shrunk: nothing; 150 iterations, no
wavelets.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.physics import mr


class ADMMCS(Classical):
    """Total variation of the complex picture. `weight`: λ; `penalty`: ρ, decides the pace only."""

    iterations = 150
    weight: float = 3e-3
    penalty: float = 0.05
    grid: ClassVar = tuple({"weight": w} for w in (5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2))

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        scale = batch["zero_filled"].abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
        return self.solve(batch["kspace"] / scale, batch["mask"])[0] * scale

    def solve(self, kspace: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The picture after `iterations` steps, and the objective (N,) before each of them."""
        image = mr.ifft2c(kspace)
        edges = gradient(image)
        multiplier = torch.zeros_like(edges)
        weights = mask + self.penalty * spectrum(image.shape[-2:]).to(mask)
        history = []
        for _ in range(self.iterations):
            history.append(self.objective(image, kspace, mask))
            wanted = mr.fft2c(adjoint_gradient(edges - multiplier))
            image = mr.ifft2c((kspace + self.penalty * wanted) / weights)
            slope = gradient(image) + multiplier
            size = slope.abs().square().sum(1, keepdim=True).sqrt().clamp_min(1e-12)
            edges = slope * (1 - self.weight / (self.penalty * size)).clamp_min(0)
            multiplier = slope - edges
        return image, history

    def objective(self, image: Tensor, kspace: Tensor, mask: Tensor) -> Tensor:
        """½ ||M F x - y||² + λ Σ |∇x|, (N,)."""
        misfit = (mask * mr.fft2c(image) - kspace).abs().square().sum((1, 2, 3)) / 2
        edges = gradient(image).abs().square().sum(1).sqrt().sum((1, 2))
        return misfit + self.weight * edges


def gradient(image: Tensor) -> Tensor:
    """Periodic differences down and right: (N, 1, H, W) → (N, 2, H, W)."""
    return torch.cat([image.roll(-1, 2) - image, image.roll(-1, 3) - image], dim=1)


def adjoint_gradient(edges: Tensor) -> Tensor:
    """∇ᴴ: (N, 2, H, W) → (N, 1, H, W)."""
    down, right = edges[:, :1], edges[:, 1:]
    return down.roll(1, 2) - down + right.roll(1, 3) - right


def spectrum(size: tuple[int, int]) -> Tensor:
    """|∇̂|², by which ∇ᴴ∇ multiplies centred k-space, (1, 1, H, W)."""
    rows, columns = (2 - 2 * torch.cos(2 * math.pi * (torch.arange(n) - n // 2) / n) for n in size)
    return (rows[:, None] + columns)[None, None]
