"""Total variation reconstruction: of all images that fit the sinogram, the one with fewest edges.

    min over x ≥ 0 of  ½ ||Â x - y||² + λ Σ |∇x|

Sidky & Pan 2008, Physics in Medicine and Biology, doi 10.1088/0031-9155/53/17/021. Solved by the
first-order primal-dual algorithm of Chambolle & Pock 2011, Journal of Mathematical Imaging and
Vision, doi 10.1007/s10851-010-0251-1, written out for CT by Sidky, Jørgensen & Pan 2012,
doi 10.1088/0031-9155/57/10/3065. It starts from the FBP image, so that the iterations are not spent
on finding the patient.
"""

from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.scanner import Scanner, scanner

GRADIENT_NORM = 8**0.5


class TVReconstruction(Classical):
    """Line integrals (N, 1, views, detectors) → (N, 1, H, W) HU. `weight`: λ, without unit."""

    iterations = 300
    weight: float = 1e-3
    grid: ClassVar = tuple({"weight": weight} for weight in (1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 8e-3))

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        scan = scanner(self.facts, batch["sinogram"].device)
        start = relative_attenuation(batch["fbp"]).clamp_min(0)
        return hounsfield(self.solve(scan, scan.data(batch["sinogram"]), start))

    def solve(self, scan: Scanner, data: Tensor, image: Tensor) -> Tensor:
        """`iterations` steps from `image`, (N, 1, H, W) relative attenuation."""
        # One operator K = (Â, ∇ / ‖∇‖) of norm at most √2: both parts converge at one pace.
        step = 1 / 2**0.5
        ball = self.weight * GRADIENT_NORM
        ahead, rays = image, torch.zeros_like(data)
        edges = torch.zeros_like(image).repeat(1, 2, 1, 1)
        for _ in range(self.iterations):
            rays = (rays + step * (scan(ahead) - data)) / (1 + step)
            edges = edges + step * gradient(ahead) / GRADIENT_NORM
            edges = edges / (edges.norm(dim=1, keepdim=True) / ball).clamp_min(1)
            slope = scan.adjoint(rays) - divergence(edges) / GRADIENT_NORM
            new = (image - step * slope).clamp_min(0)
            ahead, image = 2 * new - image, new
        return image


def gradient(image: Tensor) -> Tensor:
    """Forward differences down and right, 0 at the border: (N, 1, H, W) → (N, 2, H, W)."""
    edges = image.new_zeros(len(image), 2, *image.shape[2:])
    edges[:, 0, :-1] = image[:, 0].diff(dim=1)
    edges[:, 1, :, :-1] = image[:, 0].diff(dim=2)
    return edges


def divergence(edges: Tensor) -> Tensor:
    """Minus the adjoint of `gradient`: (N, 2, H, W) → (N, 1, H, W)."""
    result = torch.zeros_like(edges[:, :1])
    down, right = edges[:, 0, :-1], edges[:, 1, :, :-1]
    result[:, 0, :-1] += down
    result[:, 0, 1:] -= down
    result[:, 0, :, :-1] += right
    result[:, 0, :, 1:] -= right
    return result
