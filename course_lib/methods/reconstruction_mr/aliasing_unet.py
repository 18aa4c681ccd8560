"""Deep residual learning of aliasing: a U-Net draws the artefact, which is then subtracted.

New in the paper: the target is not the picture but what undersampling did to it, |x_zf| - |x|. Seen
through persistent homology, artefacts of one sampling pattern lie on a simpler manifold than
pictures of all brains, so they should be easier to learn. Aliasing spreads over the whole picture;
the U-Net's scales see that far.

    loss = mean (U(|x_zf|) - (|x_zf| - |x|))²          output = |x_zf| - U(|x_zf|)

with `target="image"` for the twin that draws the picture itself, and `scales=1` for the paper's
other opponent, a residual network of one scale. Input and output magnitudes (N, 1, H, W); the
question wants complex pictures, so the output borrows the phase of the zero-filled one. k-space is
never looked at again. Shrunk: 16 to 64 channels instead of 64 to 1,024; MONAI's BasicUNet, with
batch normalisation as in the paper. (MONAI's UNet halves the resolution before its first shortcut,
and then cannot draw fine aliasing: 4 dB less here.)

Lee, Yoo & Ye 2017, IEEE ISBI, pp. 15-18, doi 10.1109/ISBI.2017.7950457.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method


def residual_stack(width: int = 32, layers: int = 8) -> nn.Sequential:
    """One scale: 3x3 convolutions (N, 1, H, W) → (N, 1, H, W), which see 17 pixels."""
    middle = [
        part
        for _ in range(layers - 2)
        for part in (nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    ]
    first, last = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), *middle, last)


def unet(width: int) -> nn.Module:
    """MONAI's five-scale U-Net with concatenating shortcuts: (N, 1, H, W) → (N, 1, H, W)."""
    from monai.networks.nets import BasicUNet

    features = (width, 2 * width, 4 * width, 4 * width, 4 * width, width)
    return BasicUNet(2, 1, 1, features, act="relu", norm="batch")


class AliasingUNet(Method):
    """U-Net on magnitudes. `target`: "artefact" (the paper) or "image"."""

    learning_rate = 2e-3
    warm_up, clip, mixed = 20, 1.0, True

    def __init__(self, target: str = "artefact", scales: int = 5, width: int = 16) -> None:
        super().__init__()
        if target not in ("artefact", "image"):
            raise CourseError(f"`target` is 'artefact' or 'image', not {target!r}.")
        if scales not in (1, 5):
            raise CourseError(f"`scales` is 5 (the paper) or 1 (its opponent), not {scales}.")
        self.target, self.scales, self.width = target, scales, width

    def build(self, facts: Facts) -> None:
        """A U-Net, or a stack of one scale."""
        self.network = unet(self.width) if self.scales > 1 else residual_stack()

    def forward(self, magnitude: Tensor) -> Tensor:
        """The network's answer, (N, 1, H, W): artefact or picture."""
        return self.network(magnitude)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Squared error of the artefact (or of the picture)."""
        given, truth = batch["zero_filled"].abs(), batch["target"].abs()
        wanted = given - truth if self.target == "artefact" else truth
        yield "network", F.mse_loss(self(given), wanted)

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction, complex, with the zero-filled picture's phase."""
        given = batch["zero_filled"].abs()
        answer = self(given)
        magnitude = given - answer if self.target == "artefact" else answer
        return torch.polar(magnitude.clamp_min(0), batch["zero_filled"].angle())
