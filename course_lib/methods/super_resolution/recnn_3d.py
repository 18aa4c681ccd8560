"""ReCNN: one residual 3D network for all scale factors.

New in the paper: SRCNN grown to 3D and studied part by part. The network sees a spline-enlarged
volume, so its weights know no factor; trained on several factors at once, one network serves them
all, in-plane or through-plane. It learns the residual only, and a second contrast at high
resolution may come in as a further channel.

    x̂ = x↑ + f(x↑ [, reference]),   loss = mean (x̂ - y)²,   f: 3x3x3 convolutions with ReLU

Blocks (N, 1, d, h, w) HU → (N, 1, D, H, W) HU. Trained on the field `interpolated`, in which every
case has a factor of its own. Shrunk: 6 layers of 16 maps instead of 10 to 20 of 64.
First weights are He's, as in the authors' code. Rate 1e-3: at 3e-3 half a dB less by validation.
`residual=False, layers=3` is the 3D SRCNN that the paper compares with.

Pham et al. 2019, Computerized Medical Imaging and Graphics 77:101647,
doi 10.1016/j.compmedimag.2019.101647.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.start import channels_last, he
from course_lib.physics.resolution import enlarge


class ReCNN(Method):
    """Multiscale 3D residual network. With `reference=True` the batch's field `reference`
    (N, 1, D, H, W) HU, another contrast at high resolution, is a second input channel."""

    warm_up, clip, mixed = 30, 1.0, True

    def __init__(
        self, layers: int = 6, width: int = 16, residual: bool = True, reference: bool = False
    ) -> None:
        super().__init__()
        self.layers, self.width = layers, width
        self.residual, self.reference = residual, reference

    def build(self, facts: Facts) -> None:
        """The same network for every factor."""
        widths = [1 + self.reference, *[self.width] * (self.layers - 1), 1]
        convolutions = [
            nn.Conv3d(before, after, 3, padding=1) for before, after in pairwise(widths)
        ]
        he(*convolutions)
        if self.residual:
            convolutions[-1].weight.data.mul_(0.01)  # training starts from the interpolation
        parts = [part for layer in convolutions for part in (layer, nn.ReLU(inplace=True))]
        self.network = nn.Sequential(*parts[:-1])
        channels_last(self.network)

    def forward(self, enlarged: Tensor) -> Tensor:
        """(N, 1 or 2, D, H, W) → (N, 1, D, H, W), relative attenuation."""
        found = self.network(enlarged)
        return found + enlarged[:, :1] if self.residual else found

    def _input(self, enlarged: Tensor, batch: Batch) -> Tensor:
        if not self.reference:
            return relative_attenuation(enlarged)
        if "reference" not in batch:
            raise CourseError(
                "With reference=True, ReCNN needs a second contrast: a field `reference`, which "
                "these cases do not have."
            )
        return relative_attenuation(torch.cat([enlarged, batch["reference"]], dim=1))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the high-resolution volume, over mixed factors."""
        target = relative_attenuation(batch["high_resolution"])
        yield "network", F.mse_loss(self(self._input(batch["interpolated"], batch)), target)

    def predict(self, batch: Batch) -> Tensor:
        """The high-resolution volume in HU, enlarged by the factors that `facts` hold: put another
        data set's facts there, and the same weights answer for its factors."""
        enlarged = enlarge(batch["low_resolution"], self.facts.scale)
        return hounsfield(self(self._input(enlarged, batch)))
