"""ICNet: registers both ways at once, and ties the way back to the way there.

New in the paper: one network is run twice with exchanged inputs, and two penalties keep its fields
plausible. The way there must be the opposite of the way back, read where the way there ends, and
only voxels that fold pay a fine, so that ordinary smoothness can stay weak.

    u = U(A, B), v = U(B, A)
    loss =         mean (A(x + u) - B)² + mean (B(x + v) - A)²
         + 0.05 ·  (mean ‖u - (-v)(x + u)‖² + mean ‖v - (-u)(x + v)‖²)
         + 100 ·   mean relu(-∂u - 1) (∂u)², of v too
         + 1 ·     mean ‖∇u‖², of v too

Pairs (N, 1, *spatial) with standardised brightness, sides divisible by 16 → fields (N, d, *spatial)
in voxels, at most `reach`: the output is a tanh. As in the paper, images are linearly aligned
beforehand. Four strided convolutions go down, transposed ones come up. Shrunk: widths 16, 32, 32,
32 on the halved grids and none on the full one, where the authors' code doubles from 8 to 128; the
field is interpolated from every second voxel; two convolutions per level down and one up; reach 12
voxels of 3.5 mm instead of 7 of about 2; batches of 4, and pairs changed as for `voxelmorph`.

The paper's weights (folding 10⁵, smoothness 0.5) and step (5e-4) are not ours (100, 1, 4e-3): with
folding 10⁵ and the paper's step the error hardly moved on validation. Without full-resolution
layers and with smoothness 1 for 5 it fell as far in 30 CPU seconds as before in 50. In volumes the
step is 1e-3.

Zhang 2018, Inverse-consistent deep networks for unsupervised deformable image registration,
arXiv:1809.03443, doi 10.48550/arXiv.1809.03443.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Method, Sample
from course_lib.parts.registration import affine
from course_lib.parts.registration.augment import varied
from course_lib.parts.registration.fields import images, small_start
from course_lib.parts.registration.losses import (
    anti_fold,
    inverse_inconsistency,
    smoothness,
    squared_difference,
)
from course_lib.physics import fields


class FCN(nn.Module):
    """Moving and fixed (N, 1, *spatial) → (N, d, *spatial) voxels within ± reach."""

    def __init__(self, dims: int, reach: float, width: int = 16) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        back = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
        widths = [2, width, 2 * width, 2 * width, 2 * width]
        self.reach = reach
        self.down = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, 2, 1), nn.ReLU(), conv(b, b, 3, padding=1), nn.ReLU())
            for a, b in pairwise(widths)
        )
        self.up = nn.ModuleList(
            back(a, b, 2, 2) for a, b in zip(widths[:1:-1], widths[-2:0:-1], strict=True)
        )
        self.merge = nn.ModuleList(
            nn.Sequential(nn.ReLU(), conv(2 * b, b, 3, padding=1), nn.ReLU())
            for b in widths[-2:0:-1]
        )
        self.field = conv(width, dims, 3, padding=1)
        small_start(self.field)

    def forward(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """The displacement."""
        x, skips = torch.cat([moving, fixed], 1), []
        for down in self.down:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], 1))
        mode = "bilinear" if x.ndim == 4 else "trilinear"
        field = F.interpolate(self.field(x), scale_factor=2.0, mode=mode)
        return self.reach * torch.tanh(field)


class ICNet(Method):
    """The four weights of the loss are options: 0 leaves a term out, to see what it is for."""

    learning_rate = 4e-3
    batch = 4
    warm_up = 50
    clip = 1.0

    def __init__(
        self,
        similarity: float = 1.0,
        consistency: float = 0.05,
        folding: float = 1e2,
        smooth: float = 1.0,
        reach: float = 12.0,
    ) -> None:
        super().__init__()
        self.similarity, self.consistency = similarity, consistency
        self.folding, self.smooth, self.reach = folding, smooth, reach

    def build(self, facts: Facts) -> None:
        """The network, for slices or volumes."""
        self.network = FCN(facts.dims, self.reach)

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam, in volumes with a quarter of the rate: with all of it two starts in three died."""
        rate = self.learning_rate if self.facts.dims == 2 else self.learning_rate / 4
        return torch.optim.Adam(parameters, lr=rate)

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """(u, v): the same network, `one` moving to `other` and the other way round."""
        both = self.network(torch.cat([one, other]), torch.cat([other, one]))
        return both[: len(one)], both[len(one) :]

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Random pairs, each seen through an affine map of its own, mirrored or exchanged."""
        fixed, moved = varied(*images(sample(train, count)))
        return {"fixed": fixed, "moved": moved}

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """The four parts of the loss, not yet weighted."""
        fixed, moved = images(batch)
        u, v = self(moved, fixed)
        there = squared_difference(fields.warp(moved, u), fixed).mean()
        back = squared_difference(fields.warp(fixed, v), moved).mean()
        return {
            "similarity": there + back,
            "consistency": inverse_inconsistency(u, v) + inverse_inconsistency(v, u),
            "folding": anti_fold(u) + anti_fold(v),
            "smooth": smoothness(u) + smoothness(v),
        }

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Both directions."""
        fixed, moved = images(batch)
        there, home = self(moved, fixed)
        return affine.whole(there, home, batch["start"])
