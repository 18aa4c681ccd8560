"""Between Hounsfield units and the numbers that networks see.

x = 1 + HU / 1000 = μ / μ_water: air is 0, water is 1. Non-negative, so that a closing ReLU keeps
every tissue, and of order one, so that default initialisations fit.
"""

from torch import Tensor


def relative_attenuation(hu: Tensor) -> Tensor:
    """HU → μ / μ_water, without unit."""
    return 1 + hu / 1000


def hounsfield(relative: Tensor) -> Tensor:
    """μ / μ_water → HU."""
    return (relative - 1) * 1000


def lung_range(hu: Tensor) -> Tensor:
    """HU → [-1, 1]: air (-1000 HU) is -1, and 400 HU and all above are 1."""
    return ((hu + 1000) / 700 - 1).clamp(-1, 1)


def from_lung_range(value: Tensor) -> Tensor:
    """The inverse of `lung_range`, up to what was clipped."""
    return 700 * (value + 1) - 1000
