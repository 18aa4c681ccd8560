"""Ellipses: test objects whose image and whose sinogram are both known exactly.

Coordinates have no unit: the image spans -1 to 1, x to the right and y up, origin in the middle.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.physics.ct import ParallelBeam


@dataclass(frozen=True)
class Ellipse:
    """An ellipse that adds `value` (1/mm) to all that lies inside it.

    `centre` is (x, y); `axes` are the half-axes along x and y before the ellipse is turned
    counter-clockwise by `angle` degrees.
    """

    value: float
    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float = 0.0


def shepp_logan() -> tuple[Ellipse, ...]:
    """The Shepp-Logan head with Toft's values, which make its soft tissue visible (0 to 1).

    Source: Shepp & Logan 1974, doi 10.1109/TNS.1974.6499235; values: Toft, The Radon Transform,
    PhD thesis, Technical University of Denmark 1996, p. 199.
    """
    rows = (
        (1.0, 0, 0, 0.69, 0.92, 0),
        (-0.8, 0, -0.0184, 0.6624, 0.874, 0),
        (-0.2, 0.22, 0, 0.11, 0.31, -18),
        (-0.2, -0.22, 0, 0.16, 0.41, 18),
        (0.1, 0, 0.35, 0.21, 0.25, 0),
        (0.1, 0, 0.1, 0.046, 0.046, 0),
        (0.1, 0, -0.1, 0.046, 0.046, 0),
        (0.1, -0.08, -0.605, 0.046, 0.023, 0),
        (0.1, 0, -0.606, 0.023, 0.023, 0),
        (0.1, 0.06, -0.605, 0.023, 0.046, 0),
    )
    return tuple(Ellipse(value, (x, y), (a, b), angle) for value, x, y, a, b, angle in rows)


def rasterise(ellipses: Sequence[Ellipse], size: int, supersampling: int = 8) -> Tensor:
    """The image `(1, 1, size, size)` in 1/mm: each pixel is a mean of supersampling² points.

    >>> rasterise([Ellipse(0.02, (0, 0), (2, 2))], size=2)
    tensor([[[[0.0200, 0.0200],
              [0.0200, 0.0200]]]])
    """
    fine = size * supersampling
    x = (torch.arange(fine) + 0.5) * (2 / fine) - 1
    y = -x[:, None]
    image = torch.zeros(fine, fine)
    for ellipse in ellipses:
        turn = math.radians(ellipse.angle)
        right, up = x - ellipse.centre[0], y - ellipse.centre[1]
        along = right * math.cos(turn) + up * math.sin(turn)
        across = up * math.cos(turn) - right * math.sin(turn)
        inside = (along / ellipse.axes[0]) ** 2 + (across / ellipse.axes[1]) ** 2 <= 1
        image += ellipse.value * inside
    return torch.nn.functional.avg_pool2d(image[None, None], supersampling)


def sinogram(ellipses: Sequence[Ellipse], beam: ParallelBeam) -> Tensor:
    """The exact line integrals `(1, 1, views, detectors)` of ellipses, no unit.

    An ellipse of value ρ and half-axes a, b, seen at angle φ from its own axis, has the half-width
    w² = a² cos² φ + b² sin² φ, and the ray at distance d from its centre meets
    p = 2 ρ a b √(w² - d²) / w².

    Source: Kak & Slaney 1988, eq. 3.5, doi 10.1137/1.9780898719277.
    """
    half_mm = beam.size * beam.pixel_mm / 2
    detector = torch.arange(beam.detectors, dtype=torch.float64) - (beam.detectors - 1) / 2
    s = detector * beam.pixel_mm / half_mm
    theta = torch.deg2rad(beam.angles)[:, None]
    total = torch.zeros(len(theta), len(s), dtype=torch.float64)
    for ellipse in ellipses:
        (x, y), (a, b) = ellipse.centre, ellipse.axes
        phi = theta - math.radians(ellipse.angle)
        width2 = (a * torch.cos(phi)) ** 2 + (b * torch.sin(phi)) ** 2
        distance = s - x * torch.cos(theta) - y * torch.sin(theta)
        chord = (width2 - distance**2).clamp(min=0).sqrt()
        total += 2 * ellipse.value * a * b * chord / width2
    return (total * half_mm).float()[None, None]
