"""DP-ResNet: the projections are cleaned first, and what is reconstructed from them second.

New in the paper: photon noise is independent from ray to ray, so it is best told from the patient
in the sinogram; what a first network leaves there becomes streaks, which are best seen in the
image. So two residual networks stand one on each side of the filtered back-projection, and the
second learns from what the first delivers:

    p̂ = p + S(p),     x = FBP(p̂),     x̂ = x + I(x)
    first stage:  mean (p̂ - p_normal)²,        second stage:  mean (x̂ - x_normal)²,  S frozen

Both are 3D: a stack of neighbouring slices goes through them. The back-projection has no weights.

Input: `sinograms` (N, 1, S, views, detectors) line integrals of a stack. Output: the middle slice,
(N, 1, H, W) HU. Shrunk, though by how much is not known to us: five 3x3x3
convolutions of 16 maps each, the last starting at zero, so that both start as the identity; beside
its input a network sees the input's roughness, because the noise of a sinogram is a hundredth of
its values, and is learnt too slowly otherwise. Five of the eleven slices are used. The half-way
images are worked out once, when the second stage begins; the networks are not tuned together
afterwards. `domains` = projections or images leaves the other network out.

Yin et al. 2019, IEEE TMI 38(12):2903-2913 (no doi that we could check).
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts, random_index
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Sample, Stage
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.scanner import scanner
from course_lib.parts.start import zero

DOMAINS = ("both", "projections", "images")
SLICES, SIDE = 5, 40
THICK = 4.0  # a line integral; networks see shares of it
SMALL = 0.05  # corrections are: a step of the optimiser must not be larger than the noise


def residual(width: int, layers: int = 5) -> nn.Sequential:
    """3x3x3 convolutions with ReLU between them: a correction, at first zero."""
    widths = [2, *[width] * (layers - 1)]
    modules: list[nn.Module] = []
    for before in widths[:-1]:
        modules += [nn.Conv3d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
    last = nn.Conv3d(width, 1, 3, padding=1)
    zero(last)
    return nn.Sequential(*modules, last)


def corrected(network: nn.Module, given: Tensor) -> Tensor:
    """Input and correction. The network sees the input, and apart from it what is unlike its
    neighbourhood (3x3x3), in units of `SMALL`."""
    rough = given - F.avg_pool3d(given, 3, 1, 1, count_include_pad=False)
    return given + SMALL * network(torch.cat([given, rough / SMALL], 1))


def _anywhere(long: int, side: int) -> slice:
    """A random span of `side`, or of all there is."""
    first = int(torch.randint(max(long - side, 0) + 1, ()))
    return slice(first, first + side)


class DPResNet(Method):
    """Projection network, filtered back-projection, image network. `domains`: both, or one."""

    schedule = "stage"  # the second network starts as new

    def __init__(self, domains: str = "both", width: int = 16) -> None:
        super().__init__()
        if domains not in DOMAINS:
            raise CourseError(f"`domains` is one of {', '.join(DOMAINS)}, not {domains!r}.")
        self.domains, self.width = domains, width
        both = Stage("projections", 1, ("projections",)), Stage("images", 1, ("images",))
        self.stages = both if domains == "both" else (both[DOMAINS.index(domains) - 1],)

    def build(self, facts: Facts) -> None:
        """Both networks; which of them are used is `domains`."""
        self.projection_net, self.image_net = residual(self.width), residual(self.width)
        self.delivered: Tensor | None = None

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """One player for each domain that is used."""
        known = {
            "projections": self.projection_net.parameters(),
            "images": self.image_net.parameters(),
        }
        return {s.name: known[s.name] for s in self.stages}

    def begin(self, stage: str, train: Cases) -> None:
        """Reconstructs what the image network learns from, once, slice by slice."""
        self.delivered = None
        if stage == "images":
            with torch.no_grad():
                blocks = [self.reconstructed(one[None]) for one in train["sinograms"]]
            self.delivered = torch.cat(blocks)

    def reconstructed(self, sinograms: Tensor) -> Tensor:
        """(N, 1, S, views, detectors) → (N, 1, S, H, W), relative attenuation: the projections,
        cleaned where there is a network for them, back-projected."""
        scan = scanner(self.facts, sinograms.device)
        if self.domains != "images":
            sinograms = THICK * corrected(self.projection_net, sinograms / THICK)
        slices = sinograms.transpose(1, 2).flatten(0, 1)
        images = scan.fbp(scan.data(slices))
        return images.unflatten(0, (len(sinograms), -1)).transpose(1, 2)

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Blocks of what the stage is about, five slices deep, as `given` and `wanted`."""
        images, given, wanted = True, self.delivered, train["normal_stack"]
        if given is None:
            images, given, wanted = False, train["sinograms"], train["normal_sinograms"]
        which = random_index(train, count, torch.default_generator)
        deep, high, wide = (
            _anywhere(n, side)
            for n, side in zip(wanted.shape[2:], (SLICES, SIDE, SIDE), strict=True)
        )
        given, wanted = (whole[which, :, deep, high, wide] for whole in (given, wanted))
        if images:
            return {"given": given, "wanted": relative_attenuation(wanted)}
        return {"given": given / THICK, "wanted": wanted / THICK}

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean squared error of the stage's network."""
        network = self.projection_net if self.stage == "projections" else self.image_net
        yield self.stage, F.mse_loss(corrected(network, batch["given"]), batch["wanted"])

    def predict(self, batch: Batch) -> Tensor:
        """The denoised middle slice in HU."""
        middle, reach = batch["sinograms"].shape[2] // 2, SLICES // 2
        images = self.reconstructed(batch["sinograms"][:, :, middle - reach : middle + reach + 1])
        if self.domains != "projections":
            images = corrected(self.image_net, images)
        return hounsfield(images[:, :, reach])
