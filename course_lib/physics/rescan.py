"""The same patient on another scanner: a softer reconstruction kernel and fewer photons."""

import torch
import torch.nn.functional as F
from torch import Tensor


def softer_and_noisier(
    image: Tensor, pixels: float, noise: float, generator: torch.Generator
) -> Tensor:
    """image * Gaussian(pixels) + noise, itself blurred a little as a kernel does.

    Arguments:
        image: (N, C, H, W), sides of at least 5, in its own unit.
        pixels: standard deviation of the blur. noise: standard deviation, in the image's unit.
        generator: decides the noise.
    """
    grain = blurred(torch.randn(image.shape, generator=generator), 0.6)
    return blurred(image, pixels) + (noise * grain / grain.std()).to(image)


def blurred(image: Tensor, pixels: float) -> Tensor:
    """Gaussian blur of (N, C, H, W), edges replicated."""
    place = torch.arange(-4, 5, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (place / pixels).square())
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    flat = image.flatten(0, 1)[:, None]
    padded = F.pad(flat, (4, 4, 4, 4), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3)).view(image.shape)
