"""AnoGAN: a GAN that knows healthy tissue only, asked to draw a patch, fails at what is not.

New in the paper: anomaly detection by search in a GAN's latent space. A DCGAN learns healthy
patches. For a query x, z is moved by gradient descent, with both networks frozen, to

    min over z of  A(z) = (1 - λ) Σ|x - G(z)| + λ Σ|f(x) - f(G(z))|        λ = 0.1

where f are the maps of D's last hidden layer: its features, not its verdict. A(z) after the search
is the patch's score, |x - G(z)| the map. No anomalous patch is used in training.

The survey files it under augmentation ("diverse retinal images"); the paper is about finding
anomalies, and that is what it is scored for here.

Input (N, 1, 32, 32) HU; scores (N,) without unit, maps and nearest healthy patches in HU. Shrunk:
32 pixels for 64, the narrow networks, noise and two speeds of `dcgan`, 60 steps of search for
500, but of Adam.

Schlegl et al. 2017, IPMI, LNCS 10265:146-157, doi 10.1007/978-3-319-59050-9_12.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from course_lib.cases import Batch
from course_lib.methods.base import Method
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.augment import Change
from course_lib.parts.augmentation import dcgan
from course_lib.parts.hounsfield import from_lung_range, lung_range


class AnoGAN(Method):
    """DCGAN of healthy patches, and the search for what it can draw. `weight`: λ."""

    learning_rate = 1e-3
    discriminator_rate = 2.5e-4
    search_rate = 0.1
    seen = Change(noise=0.0)
    veil = 0.25

    def __init__(
        self, size: int = 32, width: int = 16, searches: int = 60, weight: float = 0.1
    ) -> None:
        super().__init__()
        self.searches, self.weight = searches, weight
        self.generator = dcgan.generator(size, width)
        self.discriminator = dcgan.Discriminator(size, width)

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Discriminator and generator."""
        return {
            "discriminator": self.discriminator.parameters(),
            "generator": self.generator.parameters(),
        }

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with DCGAN's β₁ = 0.5; discriminators learn at a quarter of the speed."""
        rate = self.learning_rate if player.startswith("generator") else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """DCGAN's game, on healthy patches."""
        real = lung_range(self.seen(batch["image"], torch.default_generator))
        made = self.generator(dcgan.noise(len(real)).to(real.device))
        verdicts = (self.verdict(picture) for picture in (real, made.detach()))
        yield "discriminator", discriminator_cross_entropy(*verdicts)
        yield "generator", non_saturating_generator(self.verdict(made))

    def verdict(self, picture: Tensor) -> Tensor:
        """The discriminator's logits (N,) of pictures under noise."""
        return self.discriminator(dcgan.veiled(picture, self.veil))

    def distance(self, query: Tensor, drawn: Tensor) -> Tensor:
        """A of pictures (N, 1, H, W) in [-1, 1], (N,): residual and feature distance, mixed."""
        residual = (query - drawn).abs().flatten(1).sum(1)
        wanted, found = (self.discriminator.features(x) for x in (query, drawn))
        return (1 - self.weight) * residual + self.weight * (wanted - found).abs().sum(1)

    def search(self, query: Tensor) -> Tensor:
        """The best z found for each query (N, 1, H, W) in [-1, 1]: (N, latent). Every search
        starts from the same z, so that a patch's score does not depend on its neighbours."""
        start = dcgan.noise(1, torch.Generator().manual_seed(0)).to(query)
        z = start.repeat(len(query), 1).requires_grad_()
        optimiser = torch.optim.Adam([z], lr=self.search_rate)
        with torch.enable_grad():
            for _ in range(self.searches):
                loss = self.distance(query, self.generator(z)).sum()
                (z.grad,) = torch.autograd.grad(loss, z)
                optimiser.step()
        return z.detach()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """`score`, `map` and, as `generated`, the healthy patch nearest to each."""
        self.eval()
        query = lung_range(batch["image"])
        drawn = self.generator(self.search(query))
        return {
            "score": self.distance(query, drawn),
            "map": 700 * (query - drawn).abs(),
            "generated": from_lung_range(drawn),
        }
