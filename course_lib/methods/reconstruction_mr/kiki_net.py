"""KIKI-net: a network for k-space, one for the picture, and the same again.

New in the paper: what aliasing has destroyed in the picture, a picture network cannot see, but in
k-space it is only a gap between neighbours. So four networks take turns, K-I-K-I:

    x̂ ← K₁(M y)        x ← x + I₁(x), x = F⁻¹ x̂        x̂ ← F x, where sampled x̂ ← y
    x̂ ← K₂(x̂)          x ← x + I₂(x), x = F⁻¹ x̂        x̂ ← F x, where sampled x̂ ← y

K-networks are plain stacks of convolutions, I-networks have a shortcut. They are trained one after
another, the earlier ones frozen, each with the squared error in its own domain.

The centre of k-space is a thousand times brighter than its edge, and a squared error would see the
centre alone. So K-networks work on x̂ · (ε + ρ) / s: ρ the distance from the centre in units of
the largest frequency, s the picture's own root mean square after that.

k-space (N, 1, H, W) complex, zero where not sampled → picture (N, 1, H, W) complex. Shrunk: 4
convolutions of 24 maps instead of about 25 layers per network. K has no shortcut, as in the paper,
but its first weights pass its input on, because there are hundreds of steps here. `order` names the
networks, so that the paper's opponents "II" and "KK" of equal size are here too.

Eo, Jun, Kim, Jang, Lee & Hwang 2018, Magnetic Resonance in Medicine 80(5):2188-2201,
doi 10.1002/mrm.27201.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch
from course_lib.methods.base import Method, Stage
from course_lib.parts.reconstruction_mr.complex_channels import to_channels, to_complex
from course_lib.physics import mr

EPSILON = 0.02


def stack(layers: int, width: int) -> nn.Sequential:
    """3x3 convolutions with ReLU between them: (N, 2, H, W) → (N, 2, H, W)."""
    widths = [2, *[width] * (layers - 1), 2]
    modules: list[nn.Module] = []
    for before, after in pairwise(widths):
        modules += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules[:-1])


@torch.no_grad()
def pass_on(network: nn.Sequential) -> None:
    """Lets the first four maps carry both channels and their negatives through the rectifiers:
    max(v, 0) - max(-v, 0) = v. The other maps start at random and join through the last layer."""
    first, *between, last = (layer.weight for layer in network[::2])
    for layer in (first, *between):
        layer[:4] = 0
    last.mul_(0.1)
    last[:, :4] = 0
    for channel in (0, 1):
        for place, sign in ((2 * channel, 1.0), (2 * channel + 1, -1.0)):
            first[place, channel, 1, 1] = sign
            for layer in between:
                layer[place, place, 1, 1] = 1
            last[channel, place, 1, 1] = sign
    for layer in network[::2]:
        layer.bias.zero_()


def emphasis(size: torch.Size) -> Tensor:
    """ε + ρ over centred k-space, (1, 1, H, W)."""
    rows, columns = ((torch.arange(n) - n // 2) / (n / 2) for n in size)
    return (EPSILON + torch.hypot(rows[:, None], columns))[None, None]


class KIKINet(Method):
    """Networks in the order of `order`, trained in as many stages."""

    learning_rate = 2e-3

    def __init__(self, order: str = "KIKI", layers: int = 4, width: int = 24) -> None:
        super().__init__()
        self.order = order
        self.networks = nn.ModuleList(stack(layers, width) for _ in order)
        for domain, network in zip(order, self.networks, strict=True):
            if domain == "K":
                pass_on(network)
        self.stages = tuple(Stage(f"{domain}{k}") for k, domain in enumerate(order))
        self.stage = self.stages[-1].name

    @property
    def reached(self) -> int:
        """The number of the network that is being trained."""
        return [stage.name for stage in self.stages].index(self.stage)

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """The network of the present stage; the others are frozen."""
        return {"network": self.networks[self.reached].parameters()}

    def forward(self, kspace: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """After the networks reached so far: (k-space, picture), complex (N, 1, H, W)."""
        weight = emphasis(kspace.shape[-2:]).to(mask)
        scale = (weight * kspace).abs().square().mean((1, 2, 3), keepdim=True).sqrt()
        weight = weight / scale.clamp_min(1e-12)
        estimate, picture = kspace, mr.ifft2c(kspace)
        for number, domain in enumerate(self.order[: self.reached + 1]):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number == self.reached):
                network = self.networks[number]
                if domain == "K":
                    estimate = to_complex(network(to_channels(weight * estimate))) / weight
                    picture = mr.ifft2c(estimate)
                else:
                    picture = picture + to_complex(network(to_channels(picture)))
                    if number < self.reached or not self.training:
                        estimate = mr.replace_samples(mr.fft2c(picture), kspace, mask)
                        picture = mr.ifft2c(estimate)
        return estimate, picture

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Squared error in the domain of the network that is being trained."""
        kspace, target = batch["kspace"], batch["target"]
        estimate, picture = self(kspace, batch["mask"])
        if self.order[self.reached] == "I":
            yield "network", F.mse_loss(to_channels(picture), to_channels(target))
            return
        weight = emphasis(kspace.shape[-2:]).to(batch["mask"])
        scale = (weight * kspace).abs().square().mean((1, 2, 3), keepdim=True).clamp_min(1e-12)
        error = (weight * (estimate - mr.fft2c(target))).abs().square() / scale
        yield "network", error.mean()

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        return self(batch["kspace"], batch["mask"])[1]
