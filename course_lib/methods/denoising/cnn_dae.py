"""CNN-DAE: a convolutional autoencoder learns to undo the noise.

New in the paper: a small network suffices, even with a few hundred small training images. All
information passes through a pooled bottleneck; there is no shortcut around it, so fine detail has
to be rebuilt, and is partly lost.

    x̂ = decode(encode(x)),   loss = mean (x̂ - y)²

Input and output (N, 1, H, W) HU; sides must be multiples of 4. Shrunk: widths 32 (the paper does
not state its widths with certainty; the loss may have been cross-entropy, here it is MSE). Without
shortcuts, PyTorch's own first weights shrink the signal a hundredfold on its way: He's keep its
size, and the last bias starts at the mean of a chest. On validation after a minute: 33.9 dB, still
rising (the noisy scans: 30.0); with PyTorch's first weights and the rate 1e-3, a dB less.

Gondara 2016, IEEE ICDM Workshops, doi 10.1109/ICDMW.2016.0041.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.start import he

BRIGHTNESS = 0.6  # relative attenuation of a chest, its mean over air, lung and soft tissue


class CNNDAE(Method):
    """Convolutional denoising autoencoder."""

    learning_rate = 3e-3
    warm_up, clip, mixed = 30, 1.0, True

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
        he(self.encoder, self.decoder, self.last)
        *_, bias = self.last.parameters()
        nn.init.constant_(bias, BRIGHTNESS)

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
