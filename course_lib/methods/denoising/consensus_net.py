"""Consensus network: two networks that each see half of the photons, judged by their mean.

New in the paper: Noise2Noise trains what one half of the photons gives, although both are there.
The mean z = ½ (f₁(x₁) + f₂(x₂)) uses all of them; its error against the patient can be had from the
halves alone, by the two crossed errors and a consensus term that is *subtracted*:

    ½ ||f₁(x₁) - x₂||² + ½ ||f₂(x₂) - x₁||² - ¼ ||f₁(x₁) - f₂(x₂)||²  =  ||z - patient||² + constant

(with noise of mean zero, independent in the halves). The minus sign is the paper's idea: a plus
would ask the outputs to agree instead of to be right together. Because the difference has no lower
bound of its own, the mean is held near the full scan by a weak term, and the weights are damped:

    loss = crossed + c · ¼ ||f₁ - f₂||² + r · mean (z - x)² + decay,     c = -1

Input: `half_a`, `half_b` (N, 1, H, W) HU, and `low_dose` of both halves, which only the weak term
sees. No clean image anywhere. Shrunk: two RED-CNNs of 24 maps instead of two U-Nets, so that both
together are about as large as the one of `noise2noise.py`. r and the decay are not known to us.

Wu et al. 2019, MICCAI, pp. 741-749, arXiv:1906.03639.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Method
from course_lib.methods.denoising.red_cnn import REDCNN
from course_lib.parts.hounsfield import hounsfield, relative_attenuation


class ConsensusNet(Method):
    """Two networks and their mean. `crossed`, `consensus`, `anchor`: weights of the three terms;
    the paper's consensus is -1, and +1 is the mistake it warns of."""

    learning_rate = REDCNN.learning_rate
    decay = 1e-6

    def __init__(
        self, crossed: float = 1.0, consensus: float = -1.0, anchor: float = 0.01, width: int = 24
    ) -> None:
        super().__init__()
        self.crossed, self.consensus, self.anchor = crossed, consensus, anchor
        self.width = width

    def build(self, facts: Facts) -> None:
        """One network for each half."""
        self.networks = nn.ModuleList(REDCNN(self.width).fresh(facts) for _ in range(2))

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with the paper's damping of the weights."""
        return torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.decay)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What each network makes of its half, relative attenuation."""
        first, second = self.networks
        return (
            first(relative_attenuation(batch["half_a"])),
            second(relative_attenuation(batch["half_b"])),
        )

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The error of the mean, as far as the halves tell it, and its anchor."""
        a, b, both = (relative_attenuation(batch[k]) for k in ("half_a", "half_b", "low_dose"))
        first, second = self(batch)
        terms = {
            "crossed": (F.mse_loss(first, b) + F.mse_loss(second, a)) / 2,
            "consensus": F.mse_loss(first, second) / 4,
            "anchor": F.mse_loss((first + second) / 2, both),
        }
        yield "network", self.weighted(terms)

    def predict(self, batch: Batch) -> Tensor:
        """The mean of both outputs, in HU."""
        return hounsfield(sum(self(batch)) / 2)
