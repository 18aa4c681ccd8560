"""How two pictures of one person fail to lie on each other."""

import math

import torch
from torch import Tensor

from course_lib.physics import fields

BEND_MM = 30.0
"""How smooth the bending is: standard deviation of the Gaussian that smooths it."""


def misalignment(
    count: int, pixels: int, mm: float, pixel_mm: float, generator: torch.Generator
) -> Tensor:
    """Displacements (count, 2, pixels, pixels) in pixels with a root mean square of `mm`: one half
    of its square is a shift in a random direction, the other a smooth bending."""
    length = mm / math.sqrt(2) / pixel_mm
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    shift = length * torch.stack([angle.sin(), angle.cos()], 1)[..., None, None]
    shape, smooth = (pixels, pixels), BEND_MM / pixel_mm
    # Strength is per component, and there are two.
    return shift + fields.random_velocity(shape, count, smooth, length / math.sqrt(2), generator)
