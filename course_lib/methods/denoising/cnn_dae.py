"""CNN-DAE: a convolutional autoencoder learns to undo the noise.

New in the paper: a small network suffices, even with a few hundred small training images. All
information passes through a pooled bottleneck; there is no shortcut around it, so fine detail has
to be rebuilt, and is partly lost.

    x̂ = decode(encode(x)),   loss = mean (x̂ - y)²

Input and output (N, 1, H, W) HU; sides must be multiples of 4. Shrunk: widths 32 (the paper does
not state its widths with certainty; the loss may have been cross-entropy, here it is MSE).

Gondara 2016, IEEE ICDM Workshops, doi 10.1109/ICDMW.2016.0041.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class CNNDAE(Method):
    """Convolutional denoising autoencoder."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width

    def build(self, facts: Facts) -> None:
        """Encoder, decoder and the last layer."""
        width = self.width

        def layer(before: int) -> list[nn.Module]:
            return [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]

        self.encoder = nn.Sequential(
            *layer(1), nn.MaxPool2d(2), *layer(width), nn.MaxPool2d(2), *layer(width)
        )
        self.decoder = nn.Sequential(
            *layer(width), nn.Upsample(scale_factor=2), *layer(width), nn.Upsample(scale_factor=2)
        )
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 1, H, W) → (N, 1, H, W), relative attenuation."""
        return self.last(self.decoder(self.encoder(image)))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error to the normal-dose scan."""
        low, normal = (relative_attenuation(batch[k]) for k in ("low_dose", "normal_dose"))
        yield "network", F.mse_loss(self(low), normal)

    def predict(self, batch: Batch) -> Tensor:
        """The denoised scan in HU."""
        return hounsfield(self(relative_attenuation(batch["low_dose"])))
