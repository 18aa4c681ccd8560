"""A deep metric: a network learns what aligned patches look like, an optimiser makes them so.

New in the paper: the similarity of two contrasts is learnt, not designed. Two patches become the
two channels of one input, and a network tells aligned from misaligned ones:

    loss = mean relu(1 - y s(patch)),   y = 1 aligned, y = -1 displaced

It has strides instead of pooling, so the score is smooth; its gradient runs through the frozen
network into the control points of a free-form deformation, for every pair anew:

    min over u of  -mean s(fixed, moving(x + u(x))) + λ · bending energy of u

Pairs of two contrasts (N, 1, H, W) → fields (N, 2, H, W) in voxels. Training needs `aligned`: the
fixed anatomy in the moving contrast. Shrunk: 2D patches of 17 x 17 instead of 17 x 17 x 17; 16 and
32 maps; 90 descent steps by Adam on three lattices, from the pair's affine map on. λ of 0.03, 0.1
and 0.3 differ by a tenth of a millimetre on validation.

Simonovsky, Gutierrez-Becker, Mateus, Navab & Komodakis 2016, MICCAI, LNCS 9902:10-18,
doi 10.1007/978-3-319-46726-9_2.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.registration import free_form
from course_lib.parts.registration.fields import standardised
from course_lib.physics import fields

PATCH = 17


class TwoChannelDeepMetric(Method):
    """`weight`: λ of the bending energy. `patches`: drawn from every training pair."""

    learning_rate = 1e-3
    evaluations = 1  # every prediction is an optimisation
    descent = 30  # steps on each of the three lattices

    def __init__(self, weight: float = 0.1, patches: int = 32, width: int = 16) -> None:
        super().__init__()
        self.weight, self.patches, self.width = weight, patches, width

    def build(self, facts: Facts) -> None:
        """Four convolutions with strides: a patch in, a score out."""
        width = self.width
        self.network = nn.Sequential(
            nn.Conv2d(2, width, 3),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, 2 * width, 3, stride=2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, 1, 3),
        )

    def score(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Mean score over all patches, four voxels apart, (N,): higher is better aligned."""
        return self.network(torch.cat([fixed, moving], 1)).flatten(1).mean(1)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The hinge loss on as many aligned patches as displaced ones."""
        fixed, aligned = standardised(batch["fixed"]), standardised(batch["aligned"])
        count, size = len(fixed), fixed.new_tensor(fixed.shape[2:])
        room = (PATCH - 1) / 2
        centre = room + torch.rand(count, self.patches, 2, device=fixed.device) * (
            size - 1 - 2 * room
        )
        angle = 2 * math.pi * torch.rand(count, self.patches, device=fixed.device)
        length = 1 + 9 * torch.rand(count, self.patches, 1, device=fixed.device)
        away = length * torch.stack([angle.sin(), angle.cos()], -1)
        here, good, bad = (
            patches_at(image, place)
            for image, place in ((fixed, centre), (aligned, centre), (aligned, centre + away))
        )
        aligned_score = self.network(torch.cat([here, good], 1))
        displaced_score = self.network(torch.cat([here, bad], 1))
        yield "network", F.relu(1 - aligned_score).mean() + F.relu(1 + displaced_score).mean()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """An optimisation for each direction. The network's weights stay as they are."""
        # The channels keep their contrasts whichever of the two images moves.
        return free_form.both_ways(
            lambda still, warped: -self.score(still, warped),
            lambda still, warped: -self.score(warped, still),
            batch,
            weight=self.weight,
            steps=self.descent,
        )


def patches_at(image: Tensor, centre: Tensor) -> Tensor:
    """Patches of an image (N, 1, H, W) around centres (N, K, 2): (N · K, 1, 17, 17)."""
    offset = fields.voxel_grid((PATCH, PATCH), image.device) - (PATCH - 1) / 2
    positions = centre.transpose(1, 2)[:, :, :, None, None] + offset[:, None]
    count, per_image = centre.shape[:2]
    found = fields.look_up(image, positions.reshape(count, 2, per_image * PATCH, PATCH))
    return found.reshape(count * per_image, 1, PATCH, PATCH)
