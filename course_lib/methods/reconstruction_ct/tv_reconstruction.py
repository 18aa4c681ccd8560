"""Total variation reconstruction: of all images that fit the sinogram, the one with fewest edges.

    min over x ≥ 0 of  ½ ||Â x - y||² + λ Σ |∇x|

Sidky & Pan 2008, Physics in Medicine and Biology, doi 10.1088/0031-9155/53/17/021. Solved by the
first-order primal-dual algorithm of Chambolle & Pock 2011, Journal of Mathematical Imaging and
Vision, doi 10.1007/s10851-010-0251-1, written out for CT by Sidky, Jørgensen & Pan 2012,
doi 10.1088/0031-9155/57/10/3065. It starts from the FBP image, so that the iterations are not spent
on finding the patient. Its steps are long for the image and short for the dual variables, because
these are so much smaller: after 300 iterations it is where equal steps are not after 1,000.
"""

from typing import ClassVar

import torch
from torch import Tensor

from course_lib.cases import Batch
from course_lib.methods.base import Classical
from course_lib.parts.hounsfield import hounsfield
from course_lib.parts.scanner import Scanner, scanner

GRADIENT_NORM = 8**0.5
RATIO = 20.0  # the image is of order one, λ and with it the dual variables are of order 1e-3


class TVReconstruction(Classical):
    """Line integrals (N, 1, views, detectors) → (N, 1, H, W) HU. `weight`: λ, without unit."""

    iterations = 300
    weight: float = 2e-4
    grid: ClassVar = tuple({"weight": w} for w in (5e-5, 1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3))

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        scan = scanner(self.facts, batch["sinogram"].device)
        data = scan.data(batch["sinogram"])
        return hounsfield(self.solve(scan, data, scan.fbp(data).clamp_min(0)))

    def solve(self, scan: Scanner, data: Tensor, image: Tensor) -> Tensor:
        """`iterations` steps from `image`, (N, 1, H, W) relative attenuation."""
        # One operator K = (Â, ∇ / ‖∇‖) of norm at most √2: both parts converge at one pace.
        slow, fast = 1 / (2**0.5 * RATIO), RATIO / 2**0.5
        ball = self.weight * GRADIENT_NORM
        ahead, rays = image, torch.zeros_like(data)
        edges = torch.zeros_like(image).repeat(1, 2, 1, 1)
        for _ in range(self.iterations):
            rays = (rays + slow * (scan(ahead) - data)) / (1 + slow)
            edges = edges + slow * gradient(ahead) / GRADIENT_NORM
            edges = edges / (edges.norm(dim=1, keepdim=True) / ball).clamp_min(1)
            slope = scan.adjoint(rays) - divergence(edges) / GRADIENT_NORM
            new = (image - fast * slope).clamp_min(0)
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
