"""Complex pictures as two real channels, which is how convolutions see them."""

import torch
from torch import Tensor


def to_channels(picture: Tensor) -> Tensor:
    """Complex (N, 1, H, W) → real (N, 2, H, W): real and imaginary part."""
    return torch.cat([picture.real, picture.imag], dim=1)


def to_complex(channels: Tensor) -> Tensor:
    """Real (N, 2, …) → complex (N, 1, …), the inverse of `to_channels`."""
    real, imaginary = channels.float().split(1, dim=1)
    return torch.complex(real, imaginary)
