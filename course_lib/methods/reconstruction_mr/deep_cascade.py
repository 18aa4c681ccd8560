"""Deep cascade: small networks remove aliasing, and after each one the measured samples return.

New in the paper: de-aliasing and data consistency alternate, all trained together. A block may only
guess what was not measured, and the next one repairs what the last left:

    x ← x + Cₖ(x)                                    n_d convolutions, each block its own
    x̂ ← x̂ + M (y - x̂) · (1 or v / (1 + v))           in k-space, x̂ = F x: the data, or with
                                                     learnt trust v where noise is expected
    loss = mean |x - x*|²

For dynamic MR (`dynamic=True`) convolutions are 3D in (t, y, x), and each block also sees pictures
whose missing lines are filled from neighbouring frames (data sharing; made once from the samples),
because the heart moves less than the masks change.

k-space (N, 1, H, W) complex, zero where not sampled → picture (N, 1, H, W) complex; dynamic
(N, T, H, W) for both. Shrunk: 4 blocks of 4 convolutions with 24 maps instead of 5 or 10 of 5 with
64. The scan is noisy, so v is learnt by default; `noiseless=True` puts samples back exactly. The
rate 3e-3 with warm-up and clipping was not searched: 27.2 dB on validation after a minute.

Schlemper, Caballero, Hajnal, Price & Rueckert 2018, IEEE TMI 37(2):491-503,
doi 10.1109/TMI.2017.2760978.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.physics import mr


class Block(nn.Module):
    """`depth` convolutions with a shortcut, on pictures (N, T, H, W) complex."""

    def __init__(self, depth: int, width: int, shared: int, dynamic: bool) -> None:
        super().__init__()
        convolution = nn.Conv3d if dynamic else nn.Conv2d
        widths = [2 * (1 + shared), *[width] * (depth - 1), 2]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [convolution(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers, self.dynamic = nn.Sequential(*layers[:-1]), dynamic

    def forward(self, picture: Tensor, others: list[Tensor]) -> Tensor:
        """`others`: pictures made from shared samples, further channels."""
        parts = [part for one in (picture, *others) for part in (one.real, one.imag)]
        channels = torch.stack(parts, dim=1)  # (N, channels, T, H, W)
        if not self.dynamic:
            channels = channels[:, :, 0]
        change = self.layers(channels).float()
        change = change if self.dynamic else change[:, :, None]
        return picture + torch.complex(change[:, 0], change[:, 1])


def data_sharing(kspace: Tensor, mask: Tensor, window: int) -> Tensor:
    """Each frame's k-space with missing samples filled by the mean of those that frames at most
    `window` before or after have measured: (N, T, H, W) → (N, T, H, W)."""
    total, count = kspace.clone(), mask.clone()
    for shift in range(1, window + 1):
        for direction in (shift, -shift):
            total = total + kspace.roll(direction, dims=1)
            count = count + mask.roll(direction, dims=1)
    return torch.where(mask > 0, kspace, total / count.clamp_min(1))


class DeepCascade(Method):
    """`cascades`: n_c blocks; `depth`: n_d convolutions in each; `consistent=False` leaves out what
    makes the method, for comparison; `windows`: those of data sharing, in frames."""

    learning_rate = 3e-3
    warm_up, clip, mixed = 30, 1.0, True  # networks alone: k-space stays complex64

    def __init__(
        self,
        cascades: int = 4,
        depth: int = 4,
        width: int = 24,
        consistent: bool = True,
        noiseless: bool = False,
        dynamic: bool = False,
        windows: tuple[int, ...] = (1, 2),
    ) -> None:
        super().__init__()
        self.cascades, self.depth, self.width = cascades, depth, width
        self.consistent, self.noiseless = consistent, noiseless
        self.dynamic, self.windows = dynamic, tuple(windows) if dynamic else ()

    def build(self, facts: Facts) -> None:
        """The blocks, and how far to trust the samples."""
        self.blocks = nn.ModuleList(
            Block(self.depth, self.width, len(self.windows), self.dynamic)
            for _ in range(self.cascades)
        )
        exact = self.noiseless or not self.consistent
        self.trust = None if exact else nn.Parameter(torch.full((), 3.0))

    def forward(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """The picture, complex, same shape as `kspace`. `mask` has one where sampled."""
        weight = None if self.trust is None else F.softplus(self.trust)
        mask = mask.expand(kspace.shape)
        picture = mr.ifft2c(kspace)
        others = [mr.ifft2c(data_sharing(kspace, mask, window)) for window in self.windows]
        for block in self.blocks:
            picture = block(picture, others)
            if self.consistent:
                picture = mr.data_consistency(picture, kspace, mask, weight=weight)
        return picture

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Squared error of the complex picture."""
        error = self(batch["kspace"], batch["mask"]) - batch["target"]
        yield "network", torch.view_as_real(error).square().mean()

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        return self(batch["kspace"], batch["mask"])
