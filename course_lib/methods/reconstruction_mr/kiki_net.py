"""KIKI-net: a network for k-space, one for the picture, and the same again.

New in the paper: what aliasing has destroyed in the picture, a picture network cannot see, but in
k-space it is only a gap between neighbours. So four networks take turns, K-I-K-I:

    x̂ ← K₁(M y)        x ← x + I₁(x), x = F⁻¹ x̂        x̂ ← F x, where sampled (x̂ + λ y) / (1 + λ)
    x̂ ← K₂(x̂)          x ← x + I₂(x), x = F⁻¹ x̂        x̂ ← F x, where sampled (x̂ + λ y) / (1 + λ)

K-networks are plain stacks of convolutions, I-networks have a shortcut; real and imaginary part
have filters of their own in the first layer. They are trained one after another, the earlier ones
frozen, each with the squared error in its own domain, I-networks also where samples were taken:

    K: mean |x̂ - x̂*|²          I: mean |x - x*|² + fidelity · mean M |y - F x|²

The centre of k-space is a thousand times brighter than its edge, and rectifiers would see the
centre alone. So K-networks work on x̂ · (ε + ρ) / s: ρ the distance from the centre in units of
the largest frequency, s the picture's own root mean square after that. That is how they see, not
what they are asked: their error is taken after undoing it.

k-space (N, 1, H, W) complex, zero where not sampled → picture (N, 1, H, W) complex. Shrunk: 4
convolutions of 24 maps instead of about 25 layers per network. K has no shortcut, as in the paper,
but its first weights pass its input on, because there are hundreds of steps here. `order` names the
networks, so that opponents of equal size that stay in one domain, "IIII" and "KKKK", are here too.
λ and the fidelity's weight are not known; 10 and 0.1 were not searched. On validation the picture
gains with each network: zero-filled 20.4 dB, then 22.2, 23.0, 23.4, 24.1. (With the error weighted
as K-networks see, which is not the paper's, each of them made it worse.)

Eo, Jun, Kim, Jang, Lee & Hwang 2018, Magnetic Resonance in Medicine 80(5):2188-2201,
doi 10.1002/mrm.27201.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Stage
from course_lib.parts.reconstruction_mr.complex_channels import to_channels, to_complex
from course_lib.physics import mr

EPSILON = 0.02


def stack(layers: int, width: int) -> nn.Sequential:
    """3x3 convolutions with ReLU, the first for each channel apart, then a 1x1 convolution:
    (N, 2, H, W) → (N, 2, H, W)."""
    modules = [nn.Conv2d(2, width, 3, padding=1, groups=2), nn.ReLU(inplace=True)]
    for _ in range(layers - 1):
        modules += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules, nn.Conv2d(width, 2, 1))


@torch.no_grad()
def pass_on(network: nn.Sequential) -> None:
    """Lets two maps of each channel carry it and its negative through the rectifiers:
    max(v, 0) - max(-v, 0) = v. The other maps start at random and join through the last layer."""
    first, *between, last = (layer.weight for layer in network[::2])
    last.mul_(0.1)
    for channel in (0, 1):
        for k, sign in enumerate((1.0, -1.0)):
            place = channel * len(first) // 2 + k
            for layer in (first, *between):
                layer[place] = 0
            first[place, 0, 1, 1] = sign
            for layer in between:
                layer[place, place, 1, 1] = 1
            last[:, place] = 0
            last[channel, place] = sign
    for layer in network[::2]:
        layer.bias.zero_()


def emphasis(size: torch.Size) -> Tensor:
    """ε + ρ over centred k-space, (1, 1, H, W)."""
    rows, columns = ((torch.arange(n) - n // 2) / (n / 2) for n in size)
    return (EPSILON + torch.hypot(rows[:, None], columns))[None, None]


def emphasised(kspace: Tensor) -> tuple[Tensor, Tensor]:
    """ε + ρ, and s² (N, 1, 1, 1): the mean square of each case's k-space after that."""
    weight = emphasis(kspace.shape[-2:]).to(kspace.device)
    return weight, (weight * kspace).abs().square().mean((1, 2, 3), keepdim=True)


def _squared(error: Tensor) -> Tensor:
    """The mean square over both channels."""
    return torch.view_as_real(error).square().mean()


class KIKINet(Method):
    """Networks in the order of `order`, one K or I each, trained in as many stages. `trust`: λ;
    `fidelity`: the weight of the samples in the loss of I-networks."""

    learning_rate, batch = 2e-3, 1
    warm_up, clip = 20, 1.0
    schedule = "stage"  # each network starts at the full rate

    def __init__(
        self,
        order: str = "KIKI",
        layers: int = 4,
        width: int = 24,
        trust: float = 10.0,
        fidelity: float = 0.1,
    ) -> None:
        super().__init__()
        if not re.fullmatch("[KI]+", str(order)):
            raise CourseError(f"`order` is a word of K and I, such as 'KIKI', not {order!r}.")
        self.order, self.layers, self.width = order, layers, width
        self.trust, self.fidelity = trust, fidelity
        names = [f"{domain}{number}" for number, domain in enumerate(order)]
        self.stages = tuple(Stage(name, learns=(name,)) for name in names)

    def build(self, facts: Facts) -> None:
        """The networks; those for k-space begin by passing their input on."""
        self.networks = nn.ModuleDict(
            {stage.name: stack(self.layers, self.width) for stage in self.stages}
        )
        for name, network in self.networks.items():
            if name.startswith("K"):
                pass_on(network)

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """One player for each network."""
        return {name: network.parameters() for name, network in self.networks.items()}

    @property
    def reached(self) -> list[str]:
        """The networks up to that of the present stage."""
        names = [stage.name for stage in self.stages]
        return names[: names.index(self.stage) + 1]

    def forward(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """The picture after the networks reached so far, complex (N, 1, H, W)."""
        return mr.ifft2c(self.through(self.reached, kspace, mask))

    def through(self, names: Sequence[str], kspace: Tensor, mask: Tensor) -> Tensor:
        """k-space after some networks, pulled to the samples after each that draws a picture."""
        estimate = kspace
        for name in names:
            estimate = self.answer(name, estimate, kspace)
            if name.startswith("I"):
                estimate = mr.replace_samples(mr.fft2c(estimate), kspace, mask, self.trust)
        return estimate

    def answer(self, name: str, estimate: Tensor, kspace: Tensor) -> Tensor:
        """What a network makes of an estimate of k-space: K k-space, I a picture."""
        network = self.networks[name]
        if name.startswith("K"):
            weight, power = emphasised(kspace)
            weight = weight / power.sqrt().clamp_min(1e-12)
            return to_complex(network(to_channels(weight * estimate))) / weight
        picture = mr.ifft2c(estimate)
        return picture + to_complex(network(to_channels(picture)))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Squared error of the stage's network, in its own domain, and of a picture's samples."""
        kspace, target, mask = batch["kspace"], batch["target"], batch["mask"]
        *earlier, name = self.reached
        answer = self.answer(name, self.through(earlier, kspace, mask), kspace)
        if name.startswith("K"):
            yield name, _squared(answer - mr.fft2c(target))
        else:
            misfit = mask * (mr.fft2c(answer) - kspace)
            yield name, _squared(answer - target) + self.fidelity * _squared(misfit)

    def predict(self, batch: Batch) -> Tensor:
        """The reconstruction."""
        return self(batch["kspace"], batch["mask"])
