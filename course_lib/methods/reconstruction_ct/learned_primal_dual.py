"""Learned primal-dual: an unrolled reconstruction whose two proximal steps are small networks.

New in the paper: reconstruction itself is learnt, from raw data. A primal-dual algorithm walks back
and forth between sinogram and image; here its steps are kept and its proximal maps become CNNs, Γ
on the sinogram (dual) and Λ on the image (primal), tied by the true projector and its adjoint:

    h ← h + Γᵢ([h, Â x₂, y]),   x ← x + Λᵢ([x, Âᵀ h₁]),   i = 1 … I,   x = h = 0 at first
    loss = mean (x₁ - x*)²

States x and h have five channels each, a memory for the iterations. FBP is nowhere an input.

Input (N, 1, views, detectors) line integrals, output (N, 1, H, W) HU. Shrunk: 6 iterations instead
of 10, 24 maps instead of 32; weights of their own in each iteration, scaled operator, Adam
(β₂ = 0.99) and clipped gradients as in the paper. The paper trains for 100,000 steps from random
weights; here there are hundreds, so the first weights make each iteration a step of gradient
descent with a short sharpening filter, and the learning rate is doubled (chosen on validation).

Adler & Öktem 2018, IEEE TMI 37(6):1322-1332, doi 10.1109/TMI.2018.2799231.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.scanner import Scanner, scanner

MEMORY, GAIN = 5, 100.0


def proximal(inputs: int, width: int) -> nn.Sequential:
    """Three 3x3 convolutions: (N, inputs, H, W) → (N, 5, H, W), a change of the state."""
    network = nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1),
        nn.PReLU(width, init=0.0),
        nn.Conv2d(width, width, 3, padding=1),
        nn.PReLU(width, init=0.0),
        nn.Conv2d(width, MEMORY, 3, padding=1),
    )
    for layer in network[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return network


@torch.no_grad()
def start_as(network: nn.Sequential, kernels: dict[int, Tensor], outputs: int) -> None:
    """Sets first weights such that the first `outputs` channels of a `proximal` are a linear map:
    the sum of its input channels, each convolved with its 3x3 kernel.

    Two hidden channels carry the map and its negative through the rectifiers, because
    max(v, 0) - max(-v, 0) = v. The other hidden channels stay random.
    """
    first, second, third = (layer.weight for layer in network[::2])
    first[:2], second[:2], third[:outputs] = 0, 0, 0
    for sign, channel in ((1, 0), (-1, 1)):
        for source, kernel in kernels.items():
            first[channel, source] = sign * kernel
        second[channel, channel, 1, 1] = 1
        third[:outputs, channel, 1, 1] = sign


class LearnedPrimalDual(Method):
    """Unrolled reconstruction from raw data."""

    learning_rate, batch = 2e-3, 1
    warm_up, clip = 20, 1.0

    def __init__(self, iterations: int = 6, width: int = 24) -> None:
        super().__init__()
        self.iterations, self.width = iterations, width

    def build(self, facts: Facts) -> None:
        """Two networks for each iteration, one in either space."""
        every = range(self.iterations)
        self.dual = nn.ModuleList(proximal(MEMORY + 2, self.width) for _ in every)
        self.primal = nn.ModuleList(proximal(MEMORY + 1, self.width) for _ in every)
        here, sharpen = torch.zeros(3, 3), torch.zeros(3, 3)
        here[1, 1] = 1
        sharpen[1] = GAIN * torch.tensor([-0.12, 0.25, -0.12])
        for dual, primal in zip(self.dual, self.primal, strict=True):
            start_as(dual, {0: -here, MEMORY: -sharpen, MEMORY + 1: sharpen}, outputs=1)
            start_as(primal, {MEMORY: here}, outputs=2)

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's momentum."""
        return torch.optim.Adam(parameters, lr=self.learning_rate, betas=(0.9, 0.99))

    def forward(self, scan: Scanner, data: Tensor) -> Tensor:
        """y (N, 1, views, detectors) → x (N, 1, H, W), relative attenuation."""
        size = scan.beam.size
        image = data.new_zeros(len(data), MEMORY, size, size)
        memory = torch.zeros_like(data).repeat(1, MEMORY, 1, 1)
        for dual, primal in zip(self.dual, self.primal, strict=True):
            memory = memory + dual(torch.cat([memory, scan(image[:, 1:2]), data], dim=1))
            image = image + primal(torch.cat([image, scan.adjoint(memory[:, :1])], dim=1))
        return image[:, :1]

    def _image(self, batch: Batch) -> Tensor:
        sinogram = batch["sinogram"]
        scan = scanner(self.facts, sinogram.device)
        return self(scan, scan.data(sinogram))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the true image."""
        yield "network", F.mse_loss(self._image(batch), relative_attenuation(batch["target"]))

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction in HU."""
        return hounsfield(self._image(batch))
