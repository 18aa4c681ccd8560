"""The scanner inside an iterative or learned reconstruction: scaled, and known from facts.

Networks want numbers of order one and an operator of norm one. With x = μ / μ_water and A the
parallel-beam projector in mm, this is  Â = A / ‖A‖,  and a sinogram p of line integrals becomes
y = p / (μ_water ‖A‖), so that y ≈ Â x.
"""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.cases import Facts
from course_lib.physics import ct


class Scanner:
    """Â, its exact adjoint and its filtered back-projection, all without unit.

    Images are (N, 1, size, size), sinograms (N, 1, views, detectors).

    Arguments:
        beam: the projector in mm. Its largest singular value is found by twenty power iterations.
    """

    def __init__(self, beam: ct.ParallelBeam) -> None:
        self.beam = beam
        image = torch.ones(1, 1, beam.size, beam.size, device=beam.device)
        for _ in range(20):
            image = beam.adjoint(beam(image / image.norm()))
        self.norm = float(image.norm().sqrt())

    def __call__(self, image: Tensor) -> Tensor:
        """Â x."""
        return self.beam(image) / self.norm

    def adjoint(self, data: Tensor) -> Tensor:
        """Âᵀ y."""
        return self.beam.adjoint(data) / self.norm

    def fbp(self, data: Tensor, window: str = "ram-lak") -> Tensor:
        """The image whose projections are y, by filtered back-projection."""
        return self.beam.fbp(data * self.norm, window)

    def data(self, sinogram: Tensor) -> Tensor:
        """y from measured line integrals p."""
        return sinogram / (ct.MU_WATER * self.norm)


def scanner(facts: Facts, device: torch.device | str = "cpu", *, complete: bool = False) -> Scanner:
    """The scanner that measured a data set.

    Arguments:
        facts: `angles` in degrees of V views and `measured`, which of them were taken; `size` and
            `pixel_mm` of the images.
        device: where the images are.
        complete: the scanner of all V views instead.
    """
    views = zip(facts.angles, facts.measured, strict=True)
    degrees = tuple(angle for angle, taken in views if taken or complete)
    return _scanner(facts.size, degrees, facts.pixel_mm, torch.device(device))


@lru_cache(maxsize=8)
def _scanner(
    size: int, degrees: tuple[float, ...], pixel_mm: float, device: torch.device
) -> Scanner:
    angles = torch.tensor(degrees, dtype=torch.float64)
    return Scanner(ct.ParallelBeam(size, angles, pixel_mm, device=device))
