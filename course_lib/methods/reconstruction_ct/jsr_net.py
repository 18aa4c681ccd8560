"""JSR-Net: image and complete sinogram are recovered together, each correcting the other.

New in the paper: a joint spatial-Radon model. The views that were not measured are unknowns like
the image, and both must agree. An alternating scheme is unrolled, its two regularisers become CNNs.
With M the mask of measured views, Â the projector of *all* views and Â⁺ its FBP, each round does

    f ← Â u + M (y - Â u) w           data step: measured views pull f to y, the others follow u
    f ← f + Γₖ([f, Â u, M])           a CNN on the sinogram
    u ← u + tₖ Â⁺(f - Â u)            least-squares step: FBP of a residual nearly solves Â u = f
    u ← u + Λₖ(u)                     a CNN on the image
    loss = image · mean (u - u*)² + structural · (1 - SSIM(u, u*)) + radon · mean (f - Â u*)²

with w = 1 / (1 + e^-sₖ) and the step tₖ learnt. The weights of the terms are options; 0 leaves the
structural or the Radon term out. Input (N, 1, measured views, detectors) line integrals, output
(N, 1, H, W) HU.

The paper leaves open how the sub-problems are solved and what its structural term is: the FBP step
and SSIM are our reading. Shrunk: 3 rounds, CNNs of three layers with 24 maps.

Zhang, Dong & Liu 2019, IEEE ICASSP, pp. 3657-3661, doi 10.1109/ICASSP.2019.8682178.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.metrics.image import ssim
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.scanner import Scanner, scanner


def regulariser(inputs: int, width: int) -> nn.Sequential:
    """Three 3x3 convolutions: (N, inputs, H, W) → (N, 1, H, W), a correction."""
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 1, 3, padding=1),
    )


class Round(nn.Module):
    """One round: (u, f) → (u, f)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trust, self.step = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(1.0))
        self.sinogram, self.image = regulariser(3, width), regulariser(1, width)

    def forward(
        self, scan: Scanner, image: Tensor, data: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`data`: y with zeros where `mask` is 0, both (N, 1, all views, detectors)."""
        projected = scan(image)
        full = projected + mask * (data - projected) * self.trust.sigmoid()
        full = full + self.sinogram(torch.cat([full, projected, mask], dim=1))
        image = image + self.step * scan.fbp(full - projected)
        return image + self.image(image), full


class JSRNet(Method):
    """Joint spatial-Radon domain network."""

    def __init__(
        self,
        rounds: int = 3,
        width: int = 24,
        image: float = 1.0,
        structural: float = 0.01,
        radon: float = 0.1,
    ) -> None:
        super().__init__()
        self.rounds, self.width = rounds, width
        self.image, self.structural, self.radon = image, structural, radon

    def build(self, facts: Facts) -> None:
        """The rounds, each with networks of its own."""
        self.chain = nn.ModuleList(Round(self.width) for _ in range(self.rounds))

    def forward(self, scan: Scanner, data: Tensor, mask: Tensor, image: Tensor) -> tuple:
        """Image u (N, 1, H, W) and complete sinogram f (N, 1, all views, detectors)."""
        for one in self.chain:
            image, full = one(scan, image, data, mask)
        return image, full

    def complete(self, batch: Batch) -> Scanner:
        """The scanner of all views."""
        return scanner(self.facts, batch["sinogram"].device, complete=True)

    def _both(self, batch: Batch) -> tuple[Tensor, Tensor]:
        scan = self.complete(batch)
        sinogram = scan.data(batch["sinogram"])
        measured = torch.tensor(self.facts.measured, device=sinogram.device)
        data = sinogram.new_zeros(len(sinogram), 1, len(measured), sinogram.shape[-1])
        data[:, :, measured] = sinogram
        mask = measured.to(data)[:, None].expand_as(data)
        return self(scan, data, mask, relative_attenuation(batch["fbp"]))

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Pixels and structure of the image, and the complete sinogram."""
        image, full = self._both(batch)
        truth = relative_attenuation(batch["target"])
        terms = {"image": F.mse_loss(image, truth)}
        if self.structural:
            terms["structural"] = 1 - ssim(image, truth, 2.0).mean()
        if self.radon:
            terms["radon"] = F.mse_loss(full, self.complete(batch)(truth))
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction in HU."""
        return hounsfield(self._both(batch)[0])
