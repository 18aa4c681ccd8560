"""Scanner knobs: the same patient, as other CT scanners would show him.

    image → gain · sharpened(blurred(image)) + offset + noise

A soft kernel blurs, a sharp one lifts edges and noise, few photons make noise, and a badly
calibrated scanner stretches and shifts the HU scale (air stays air only if gain and offset say so).
Each knob at rest leaves the image as it is.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError


@dataclass(frozen=True)
class Knobs:
    """blur: standard deviation of the kernel (pixels). sharpen: share of what a blur of one pixel
    would take away that is added. noise: standard deviation (HU). gain, offset: of the HU scale,
    around −1000 HU (no unit, HU)."""

    blur: float = 0.0
    sharpen: float = 0.0
    noise: float = 0.0
    gain: float = 1.0
    offset: float = 0.0


SITES = {
    "A": Knobs(),
    "B": Knobs(noise=110.0),
    "C": Knobs(blur=1.6),
    "D": Knobs(sharpen=0.8, noise=30.0, gain=0.8, offset=160.0),
}
"""A: the scanner that was there. B: a low-dose protocol. C: a soft kernel. D: a sharp kernel, and
a HU scale that is off."""

LEVELS = {
    "noise": (50.0, 100.0, 200.0),
    "blur": (0.8, 1.6, 2.4),
    "sharpen": (0.5, 1.0, 2.0),
    "gain": (0.9, 0.75, 0.6),
    "offset": (80.0, 160.0, 320.0),
}
"""Knob → three severities, mild to grave; the other knobs stay at rest."""


def turned(knob: str, severity: int) -> Knobs:
    """All knobs at rest but one, at severity 1, 2 or 3.

    Raises CourseError for a knob or a severity that does not exist.
    """
    if knob not in LEVELS or severity not in (1, 2, 3):
        known = ", ".join(LEVELS)
        raise CourseError(f"No knob {knob!r} at {severity}: knobs are {known}, severities 1 to 3.")
    return replace(Knobs(), **{knob: LEVELS[knob][severity - 1]})


def rescan(image: Tensor, knobs: Knobs, generator: torch.Generator) -> Tensor:
    """Images (N, 1, H, W) in HU as a scanner with these knobs shows them, same shape."""
    result = blurred(image, knobs.blur) if knobs.blur else image
    if knobs.sharpen:
        result = result + knobs.sharpen * (result - blurred(result, 1.0))
    if (knobs.gain, knobs.offset) != (1.0, 0.0):
        result = knobs.gain * (result + 1000) - 1000 + knobs.offset
    if knobs.noise:
        # A kernel smooths noise too: neighbouring pixels share some of it.
        grain = blurred(torch.randn(image.shape, generator=generator), 0.6)
        result = result + (knobs.noise * grain / grain.std()).to(image)
    return result


def blurred(image: Tensor, pixels: float) -> Tensor:
    """Gaussian blur of (N, 1, H, W), edges replicated."""
    reach = max(2, round(4 * pixels))
    place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (place / pixels).square())
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    padded = F.pad(image, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))
