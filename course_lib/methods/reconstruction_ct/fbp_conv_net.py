"""FBPConvNet: a U-Net cleans the image that filtered back-projection gives.

The survey's post-processing: the network never sees the sinogram. What FBP has lost or invented can
only be guessed from the image, but a U-Net looks far enough to tell a streak from a rib.

    x̂ = x_FBP + U(x_FBP),   loss = mean (x̂ - x*)²

Input and output (N, 1, H, W) HU, sides divisible by 16. MONAI's U-Net with batch normalisation and
four poolings. Shrunk: 16 to 128 maps instead of 64 to 1024. Rate: 4e-3 by validation, against 1e-3.

Jin, McCann, Froustey & Unser 2017, IEEE TIP 26(9):4509-4522, doi 10.1109/TIP.2017.2713099.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class FBPConvNet(Method):
    """Post-processing of FBP."""

    learning_rate = 4e-3
    warm_up, clip, mixed = 20, 1.0, True

    def __init__(self, features: tuple[int, ...] = (16, 16, 32, 64, 128, 16)) -> None:
        super().__init__()
        self.features = features

    def build(self, facts: Facts) -> None:
        """The U-Net."""
        from monai.networks.nets import BasicUNet

        self.network = BasicUNet(2, 1, 1, self.features, act="relu", norm="batch")

    def forward(self, image: Tensor) -> Tensor:
        """(N, 1, H, W) → (N, 1, H, W), relative attenuation."""
        return image + self.network(image)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the true image."""
        fbp, target = (relative_attenuation(batch[key]) for key in ("fbp", "target"))
        yield "network", F.mse_loss(self(fbp), target)

    def predict(self, batch: Batch) -> Tensor:
        """The cleaned reconstruction in HU."""
        return hounsfield(self(relative_attenuation(batch["fbp"])))
