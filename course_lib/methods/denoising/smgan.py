"""SMGAN: structure is measured on CT itself, and the neighbouring slices help to see it.

New in the paper: WGAN-VGG asks a network of natural images whether the anatomy is kept. SMGAN asks
structural similarity at several scales (MS-SSIM) together with the absolute error, and its
generator sees eleven slices at once, because noise changes from slice to slice and anatomy hardly:

    structure:  S = τ (1 - MS-SSIM(G(x), y)) + (1 - τ) mean |G(x) - y|,                    τ = 0.89
    critic:     mean C(G(x)) - mean C(y) + 10 · mean (||∇C(x̂)||₂ - 1)²
    generator:  s · S - a · mean C(G(x))

Generator: eight unpadded 3D convolutions with ReLU, odd ones 3x3 within the slice, even ones 3x3x3:
11 slices go in and 3 come out, 16 pixels narrower. Critic: six 3x3 convolutions with strides 1, 2,
1, 2, 1, 2 and two dense layers; it takes the three slices as channels. No perceptual term.

Input (N, 1, 11, Y, X), output (N, 1, H, W), the middle slice, both HU; whole slices are continued
beyond their border, so that nothing gets lost there. Shrunk: 16 maps instead of 32, a quarter of
the critic's. τ and a/s are those of a later implementation (the paper's are not known to us);
MS-SSIM has three scales and a window of 7, which is what a patch of 32 pixels carries. The critic
joins for the last quarter of the training. `context` = False is the paper's own 2D twin: every
kernel stays within the slice, and only three slices are seen.

You et al. 2018, IEEE Access 6:41839-41855, doi 10.1109/ACCESS.2018.2858196.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method, Stage
from course_lib.methods.denoising.wgan_vgg import critic
from course_lib.parts.adversarial import (
    gradient_penalty,
    wasserstein_critic,
    wasserstein_generator,
)
from course_lib.parts.hounsfield import hounsfield, relative_attenuation

SLICES, MARGIN, LAYERS = 3, 8, 8


def generator(width: int = 16, context: bool = True) -> nn.Sequential:
    """Eight unpadded 3D convolutions: (N, 1, S, H, W) → (N, 1, S - 8, H - 16, W - 16), or S slices
    where there is no context."""
    modules: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise([1, *[width] * (LAYERS - 1), 1])):
        deep = 3 if context and number % 2 else 1
        modules += [nn.Conv3d(before, after, (deep, 3, 3)), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules)


class SMGAN(Method):
    """3D generator, structurally sensitive loss. `adversarial`, `structure`: weights of the
    generator's terms; `tau`: share of MS-SSIM in the second; `context`: see the module."""

    schedule = "stage"
    adversarial_rate = 3e-4
    critic_steps = 4
    penalty = 10.0

    def __init__(
        self,
        adversarial: float = 0.01,
        structure: float = 1.0,
        tau: float = 0.89,
        context: bool = True,
    ) -> None:
        super().__init__()
        self.adversarial, self.structure, self.tau = adversarial, structure, tau
        self.context = context
        if adversarial and structure:
            self.stages = (Stage("structure", 3, ("generator",)), Stage("game", 1))

    def build(self, facts: Facts) -> None:
        """Generator and critic. The last ReLU starts open, at half the attenuation of water."""
        self.generator = generator(context=self.context)
        nn.init.constant_(self.generator[-2].bias, 0.5)
        self.critic = critic(slices=SLICES)

    @property
    def playing(self) -> bool:
        """Whether the critic takes part in the present stage."""
        return bool(self.adversarial) and self.stage != "structure"

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Two players."""
        return {"generator": self.generator.parameters(), "critic": self.critic.parameters()}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam (0.5, 0.9), slower once the critic plays."""
        rate = self.adversarial_rate if self.playing else self.learning_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.9))

    def forward(self, stack: Tensor) -> Tensor:
        """(N, 1, S, H, W) → (N, 3, H - 16, W - 16): the middle slices, as channels."""
        if not self.context:
            middle = stack.shape[2] // 2
            stack = stack[:, :, middle - 1 : middle + 2]
        return self.generator(stack).squeeze(1)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Four critic losses, then the generator's; at first the structure alone."""
        stack, normal = (relative_attenuation(batch[k]) for k in ("stack", "normal_stack"))
        middle = stack.shape[2] // 2
        real = normal[:, 0, middle - 1 : middle + 2, MARGIN:-MARGIN, MARGIN:-MARGIN]
        if self.playing:
            with torch.no_grad():
                fake = self(stack)
            for _ in range(self.critic_steps):
                distance = wasserstein_critic(self.critic(real), self.critic(fake))
                yield "critic", distance + self.penalty * gradient_penalty(self.critic, real, fake)
        yield "generator", self.weighted(self.judged(self(stack), real))

    def judged(self, denoised: Tensor, normal: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss that have a weight."""
        terms = {}
        if self.playing:
            terms["adversarial"] = wasserstein_generator(self.critic(denoised))
        if self.structure:
            alike, error = ms_ssim(denoised, normal), F.l1_loss(denoised, normal)
            terms["structure"] = self.tau * (1 - alike) + (1 - self.tau) * error
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """The denoised middle slice in HU."""
        stack = relative_attenuation(batch["stack"])
        wide = F.pad(stack, (*[MARGIN] * 4, 0, 0), mode="replicate")
        return hounsfield(self(wide)[:, SLICES // 2 : SLICES // 2 + 1])


def ms_ssim(image: Tensor, other: Tensor) -> Tensor:
    """Mean multi-scale structural similarity of images (N, C, H, W), sides at least 28, of values
    0 to 2: three scales with the first three exponents of Wang et al. 2003, scaled to add to 1."""
    from monai.metrics.regression import compute_ms_ssim

    exponents = torch.tensor([0.0448, 0.2856, 0.3001])
    return compute_ms_ssim(
        image,
        other,
        spatial_dims=2,
        data_range=2.0,
        kernel_size=7,
        weights=(exponents / exponents.sum()).tolist(),
    ).mean()
