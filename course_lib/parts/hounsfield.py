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
