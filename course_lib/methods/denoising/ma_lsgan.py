"""A least-squares game that learns the noise: LS-GAN with a hybrid loss.

New in the paper: the generator draws the noise, not the patient, and what is judged is what is left
of the scan without it. The game is that of least squares (`lsgan.py`) because, the authors argue, a
gradient penalty limits what a critic can tell apart. Texture, structure and values, a term each:

    x̂ = x - N(x)
    discriminator:  ½ mean (D(y) - 1)² + ½ mean D(x̂)²
    generator:      a · ½ mean (D(x̂) - 1)² + s · (1 - SSIM(x̂, y)) + v · mean |x̂ - y|

No penalty, no clamping, a linear last layer. Reconstructed from the paper's title and the survey's
sentence: neither its generator (here RED-CNN's plain relative, eight 3x3 convolutions of 32 maps),
nor its weights, nor the norm of its pixel term are known to us (L1 is taken). The weights here make
structure and values alike in size, with the game as a small addition; the discriminator joins for
the last quarter.

Input and output (N, 1, H, W) HU.

Ma et al. 2020, IEEE Access 8:67519-67529 (no DOI that we could check).
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Facts
from course_lib.methods.denoising.lsgan import LSGAN
from course_lib.methods.denoising.wgan_vgg import critic, generator
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class MaLSGAN(LSGAN):
    """Noise learning. `adversarial`, `structure`, `value`: weights of the generator's terms."""

    def __init__(
        self, adversarial: float = 0.003, structure: float = 0.1, value: float = 1.0
    ) -> None:
        super().__init__(adversarial, pixel=0.0)
        self.structure, self.value = structure, value

    def build(self, facts: Facts) -> None:
        """The network that draws the noise, and the discriminator."""
        from monai.losses import SSIMLoss

        self.noise, self.critic = generator(), critic()
        self.generator = self.noise
        self.dissimilarity = SSIMLoss(spatial_dims=2, data_range=2.0, win_size=7)

    def forward(self, image: Tensor) -> Tensor:
        """The scan without its noise, (N, 1, H, W), relative attenuation."""
        return image - self.noise(image)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's loss, then the generator's; at first without the game."""
        low, normal = (relative_attenuation(batch[k]) for k in ("low_dose", "normal_dose"))
        denoised = self(low)
        if self.playing:
            yield "critic", self.critic_loss(normal, denoised.detach())
        yield "generator", self.weighted(self.judged(denoised, normal))

    def judged(self, denoised: Tensor, normal: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss that have a weight."""
        terms = {}
        if self.playing and self.adversarial:
            terms["adversarial"] = self.deceived(denoised)
        if self.structure:
            terms["structure"] = self.dissimilarity(denoised, normal)
        if self.value:
            terms["value"] = F.l1_loss(denoised, normal)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The denoised scan in HU."""
        return hounsfield(self(relative_attenuation(batch["low_dose"])))
