"""Scanners: how the same anatomy becomes different pictures at different sites.

A scanner turns tissue parameters into signal by its sequence's equation and spoils the signal by
its optics and electronics. The equations, with TR, TE [ms] and flip angle α:

    spin echo       S = PD (1 − exp(−TR/T1)) exp(−TE/T2)
    gradient echo   S = PD sin α (1 − E1) / (1 − E1 cos α) exp(−TE/T2*),  E1 = exp(−TR/T1)
    inversion       S = PD |1 − 2 exp(−TI/T1) + E1| exp(−TE/T2)

the second with T2* ≈ 0.6 T2, the third with the inversion time TI.
Source: Bernstein, King, Zhou, Handbook of MRI Pulse Sequences, 2004.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.errors import CourseError

MR = ("t1", "t2", "pd")
CONTRASTS = (*MR, "ct", "pet")


@dataclass(frozen=True)
class Sequence:
    """TR, TE, TI in ms, the flip angle in degrees.

    With a flip angle it is a spoiled gradient echo, with an inversion time an inversion recovery,
    with neither a spin echo.
    """

    repetition_ms: float
    echo_ms: float
    flip_degrees: float | None = None
    inversion_ms: float | None = None

    def signal(self, pd: Tensor, t1: Tensor, t2: Tensor) -> Tensor:
        """Signal, relative to fully relaxed water, of any shape."""
        left = torch.exp(-self.repetition_ms / t1)
        if self.flip_degrees is not None:
            flip = torch.deg2rad(torch.tensor(self.flip_degrees))
            steady = flip.sin() * (1 - left) / (1 - left * flip.cos())
            return pd * steady * torch.exp(-self.echo_ms / (0.6 * t2))
        if self.inversion_ms is not None:
            recovered = (1 - 2 * torch.exp(-self.inversion_ms / t1) + left).abs()
        else:
            recovered = 1 - left
        return pd * recovered * torch.exp(-self.echo_ms / t2)


@dataclass(frozen=True)
class Scanner:
    """The knobs of one site.

    name: the site's id. tesla: field strength. t1, t2, pd: sequences.
    noise: standard deviation of the complex noise's parts, relative to grey matter's (in the chest,
    muscle's) signal. bias: standard deviation of the log of the coils' shading. resolution: share
    of the pixels' k-space that is acquired (1 = all). ct_noise_hu, ct_sharpness: noise at the
    centre and kernel (0 soft … 1 sharp). pet_fwhm_mm, pet_counts: resolution, and how many counts a
    pixel of SUV 1 receives (noise).
    """

    name: str
    tesla: float
    t1: Sequence
    t2: Sequence
    pd: Sequence
    noise: float
    bias: float
    resolution: float
    ct_noise_hu: float
    ct_sharpness: float
    pet_fwhm_mm: float
    pet_counts: float


_PD = Sequence(3300, 16)
SITES = {
    "A": Scanner(
        "A", 1.5, Sequence(20, 5, 40), Sequence(3800, 92), _PD,
        noise=0.035, bias=0.12, resolution=0.95,
        ct_noise_hu=4.5, ct_sharpness=0.3, pet_fwhm_mm=6.0, pet_counts=90,
    ),
    "B": Scanner(
        "B", 3.0, Sequence(2300, 3, inversion_ms=1050), Sequence(5200, 100), _PD,
        noise=0.022, bias=0.22, resolution=1.0,
        ct_noise_hu=3.5, ct_sharpness=0.2, pet_fwhm_mm=5.0, pet_counts=180,
    ),
    "C": Scanner(
        "C", 1.5, Sequence(380, 12), Sequence(3000, 80), _PD,
        noise=0.050, bias=0.10, resolution=0.8,
        ct_noise_hu=6, ct_sharpness=0.5, pet_fwhm_mm=7.0, pet_counts=60,
    ),
    "D": Scanner(
        "D", 3.0, Sequence(18, 4, 32), Sequence(4600, 84), _PD,
        noise=0.045, bias=0.18, resolution=0.9,
        ct_noise_hu=7, ct_sharpness=0.8, pet_fwhm_mm=6.5, pet_counts=70,
    ),
}  # fmt: skip


def site(name: str) -> Scanner:
    """One of the sites. Raises CourseError for a name that does not exist."""
    if name not in SITES:
        known = ", ".join(SITES)
        raise CourseError(f"There is no site {name!r}: choose one of {known}, or 'mixed'.")
    return SITES[name]
