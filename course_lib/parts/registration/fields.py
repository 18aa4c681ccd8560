"""What the field methods of registration share: inputs of one scale, both directions, a start."""

from collections.abc import Mapping

import torch
from torch import Tensor


def standardised(image: Tensor) -> Tensor:
    """Each image (N, 1, *spatial) with mean 0 and standard deviation 1."""
    flat = image.flatten(1)
    shape = (-1, *[1] * (image.ndim - 1))
    mean, deviation = flat.mean(1).view(shape), flat.std(1).clamp_min(1e-6).view(shape)
    return (image - mean) / deviation


def images(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(fixed, moving), standardised; the moving image as the pair's affine map shows it."""
    return standardised(batch["fixed"]), standardised(batch["moved"])


def small_start(layer: torch.nn.Module) -> None:
    """A last layer that answers nearly zero: registration starts from no deformation."""
    torch.nn.init.normal_(layer.weight, std=1e-5)
    torch.nn.init.zeros_(layer.bias)
