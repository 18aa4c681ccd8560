"""The scanner inside an iterative or learned reconstruction: scaled, and known from a batch.

Networks want numbers of order one and an operator of norm one. With x = μ / μ_water and A the
parallel-beam projector in mm, this is  Â = A / ‖A‖,  and a sinogram p of line integrals becomes
y = p / (μ_water ‖A‖), so that y ≈ Â x.
"""

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

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


def scanner(batch: Mapping[str, Tensor], complete: bool = False) -> Scanner:
    """The scanner that measured a batch; all its cases share one geometry.

    Arguments:
        batch: `angles` (N, V) in degrees and `measured` (N, V), which of these V views were taken;
            `pixel_mm` (N,) and `fbp` (N, 1, size, size), for the grid.
        complete: the scanner of all V views instead.
    """
    angles, measured = batch["angles"][0], batch["measured"][0]
    degrees = tuple((angles if complete else angles[measured]).tolist())
    image = batch["fbp"]
    return _scanner(image.shape[-1], degrees, float(batch["pixel_mm"][0]), image.device)


@lru_cache(maxsize=8)
def _scanner(
    size: int, degrees: tuple[float, ...], pixel_mm: float, device: torch.device
) -> Scanner:
    angles = torch.tensor(degrees, dtype=torch.float64)
    return Scanner(ct.ParallelBeam(size, angles, pixel_mm, device=device))
