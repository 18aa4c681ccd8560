"""AAPM-Net: a network that denoises directions, not pixels.

New in the paper (second in the low-dose CT challenge of 2016): streaks and edges differ in
direction and scale, so the scan is first taken apart into fifteen bands of one direction each, at
full size and without loss (`parts/denoising/directional.py`), and the network works there:

    c = W x,      ĉ = B(c), and for the low-pass ĉ₀ = c₀ + B₀(c),      x̂ = W⁻¹ ĉ
    loss = mean over bands and places of |ĉ - W y|²

B: three convolutions (3x3, batch normalisation, ReLU); six modules of three such convolutions with
an identity around them; the inputs of all modules and the last output side by side; two more
convolutions and one linear one to fifteen bands. Only the low-pass is learnt as a correction, the
directions as they are. In the released code negative values are set to zero in the end.

Input and output (N, 1, H, W) HU. Shrunk: two modules instead of six and 32 maps instead of 128; the
bands are scaled to unit spread, where the paper multiplies all by 1000; Adam instead of slow SGD.
Patches are cut from the image and transformed whole, so the windows wrap around at a patch's edge;
the paper cuts patches from the bands. Kept: decay of the weights, clipped gradients.

Kang, Min & Ye 2017, Medical Physics 44(10):e360-e375, doi 10.1002/mp.12344, arXiv:1610.09736.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Method
from course_lib.parts.denoising import directional
from course_lib.parts.hounsfield import hounsfield, relative_attenuation

BANDS = 15


def convolution(before: int, after: int) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class Module(nn.Module):
    """Three convolutions with an identity around them: (N, C, H, W) → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = convolution(width, width)[:-1]
        self.inner = nn.Sequential(convolution(width, width), convolution(width, width), last)

    def forward(self, maps: Tensor) -> Tensor:
        """ReLU after the sum."""
        return F.relu(maps + self.inner(maps))


class AAPMNet(Method):
    """Directional wavelet network. `modules`, `width`: of the network; `directional`: False is
    the paper's own ablation, the same network on pixels."""

    learning_rate = 2e-3
    decay = 1e-5

    def __init__(self, modules: int = 2, width: int = 32, directional: bool = True) -> None:
        super().__init__()
        self.modules_count, self.width, self.directional = modules, width, directional

    def build(self, facts: Facts) -> None:
        """The network, and a spread for each band, measured when training begins."""
        bands, width = BANDS if self.directional else 1, self.width
        self.head = nn.Sequential(
            convolution(bands, width), convolution(width, width), convolution(width, width)
        )
        self.modules_ = nn.ModuleList(Module(width) for _ in range(self.modules_count))
        self.tail = nn.Sequential(
            convolution((self.modules_count + 1) * width, width),
            convolution(width, width),
            nn.Conv2d(width, bands, 3, padding=1),
        )
        self.register_buffer("spread", torch.ones(1, bands, 1, 1))

    def begin(self, stage: str, train: Cases) -> None:
        """Measures the spread of each band over some training scans."""
        some = self.taken_apart(train["low_dose"][:8])
        self.spread = some.std((0, 2, 3), keepdim=True).clamp_min(1e-6)

    def taken_apart(self, image: Tensor) -> Tensor:
        """HU (N, 1, H, W) → bands (N, 15, H, W); pixels as they are without directions."""
        image = relative_attenuation(image)
        return directional.forward(image) if self.directional else image

    def forward(self, bands: Tensor) -> Tensor:
        """Bands of unit spread of the scan → of the patient."""
        states = [self.head(bands)]
        for module in self.modules_:
            states.append(module(states[-1]))
        found = self.tail(torch.cat(states, 1))
        return torch.cat([bands[:, :1] + found[:, :1], found[:, 1:]], 1)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error of the bands."""
        low, normal = (self.taken_apart(batch[k]) for k in ("low_dose", "normal_dose"))
        yield "network", F.mse_loss(self(low / self.spread), normal / self.spread)

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with decay of the weights."""
        return torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.decay)

    def predict(self, batch: Batch) -> Tensor:
        """The denoised scan in HU, not below air."""
        bands = self(self.taken_apart(batch["low_dose"]) / self.spread) * self.spread
        image = directional.inverse(bands) if self.directional else bands
        return hounsfield(image.clamp_min(0))
