"""Making a network travel: three cheap remedies, each alone or all together.

The network and its training are those of `domain_shift_benchmark`; added is one of

    augmentation   training images change their look: noise, blur, sharpening, brightness,
                   contrast, all at random and stacked (BigAug, Zhang et al. 2020)
    histogram      the HU values of a scanner are mapped such that their quantiles are those of the
                   training images: x ↦ Q_train(Q_scanner⁻¹(x)), one curve per scanner
    adabn          the mean and variance in every batch normalisation are measured anew on images of
                   the scanner (AdaBN, Li et al. 2017)

The last two look at images from the new scanner, never at their labels: each scanner's
`unlabelled` images of training patients. AdaBN leaves scanner 0 alone, for that is where the
network learnt. What a remedy costs at home is in the report too: its second board. Images
(N, 1, H, W) HU. Shrunk: BigAug without its changes of shape, which a scanner
does not make.

Zhang et al. 2020, IEEE TMI 39(7):2531-2540, doi 10.1109/TMI.2020.2973595; Li et al. 2017,
Revisiting batch normalization for practical domain adaptation, ICLR Workshops.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.frontier.domain_shift_benchmark import DomainShiftBenchmark
from course_lib.parts.frontier.reader import Reader, seen
from course_lib.physics.ct_site import blurred

REMEDIES = ("augmentation", "histogram", "adabn")
IMAGES = 96  # unlabelled images per scanner


class DomainGeneralisation(DomainShiftBenchmark):
    """The reader with remedies.

    Arguments:
        remedy: one of `REMEDIES`, or `all`.
        outline: the weight of the pixels; that of the label is 1.
    Raises CourseError for another remedy.
    """

    def __init__(self, remedy: str = "augmentation", outline: float = 1.0) -> None:
        super().__init__(outline)
        if remedy not in (*REMEDIES, "all"):
            raise CourseError(f"No remedy {remedy!r}; there are: {', '.join(REMEDIES)}, all.")
        self.used = REMEDIES if remedy == "all" else (remedy,)

    def build(self, facts: Facts) -> None:
        """The network; what was seen of scanners is forgotten."""
        super().build(facts)
        self.quantiles: tuple[Tensor, Tensor] | None = None
        self.unlabelled: Tensor | None = None
        self.adapted: dict[int, Reader] = {}

    def begin(self, stage: str, train: Cases) -> None:
        """Keeps images of every scanner, (scanners, n, 1, H, W) HU, and their quantiles."""
        self.unlabelled = train["unlabelled"][:IMAGES].transpose(0, 1)
        levels = torch.linspace(0, 1, 65, device=train.device)
        home = torch.quantile(train["image"].flatten()[::13][:1_000_000], levels)
        theirs = [torch.quantile(x.flatten()[::7], levels) for x in self.unlabelled]
        self.quantiles = torch.stack(theirs), home

    def image(self, batch: Batch) -> Tensor:
        """What the network sees; with `histogram`, after mapping each scanner's values."""
        if "histogram" not in self.used or self.quantiles is None:
            return super().image(batch)
        (theirs, home), image = self.quantiles, batch["image"]
        if not self.training:  # training images stay as they are: together they are home
            pairs = zip(image, theirs[batch["scanner"]], strict=True)
            image = torch.stack([matched(*pair, home) for pair in pairs])
        return seen(image, self.facts.window)

    def changed(self, image: Tensor) -> Tensor:
        """With `augmentation`: every image with a random look of its own."""
        if "augmentation" not in self.used:
            return image
        soft, sharp, noise, gain, shift = torch.rand(5, len(image), 1, 1, 1, device=image.device)
        smooth = blurred(image, 0.7 + 1.8 * float(torch.rand(())))
        # A quarter of the images is blurred, a quarter sharpened, half get noise, all a new scale.
        side = torch.where(soft < 0.25, 1.0, torch.where(soft > 0.75, -1.5 * sharp, 0.0))
        image = image + side * (smooth - image)
        grain = blurred(torch.randn_like(image), 0.6)
        grain = grain / grain.std()
        image = image + (noise - 0.5).relu() * 0.6 * grain
        image = (image + 1) * (0.6 + 0.8 * gain) - 1 + 0.5 * (shift - 0.5)
        return image.clamp(-1, 1)

    def after_step(self, player: str) -> None:
        """Forgets statistics that were measured with other weights."""
        self.adapted.clear()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """As the plain reader; with `adabn`, every new scanner by its own statistics."""
        if "adabn" not in self.used or self.unlabelled is None:
            return super().predict(batch)
        image = self.image(batch)
        scores, pixels = image.new_zeros(len(image), 2), torch.zeros_like(image)
        for number in batch["scanner"].unique().tolist():
            own = batch["scanner"] == number
            scores[own], pixels[own] = self.reader(number, self.unlabelled[number])(image[own])
        return {"probability": scores.softmax(1), "map": pixels.sigmoid()}

    def reader(self, number: int, images: Tensor) -> Reader:
        """The network for a scanner, whose images are (n, 1, H, W)."""
        if number == 0:
            return self.network
        if number not in self.adapted:
            self.adapted[number] = self.measured_anew(number, images)
        return self.adapted[number]

    def measured_anew(self, number: int, images: Tensor) -> Reader:
        """A copy whose normalisation statistics are those of a scanner's images (n, 1, H, W)."""
        copy = deepcopy(self.network).train()
        for layer in copy.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.momentum = None  # the mean over all
        scanner = torch.full((len(images),), number, device=images.device)
        with torch.no_grad():
            copy(self.image({"image": images, "scanner": scanner}))
        return copy.eval()


def matched(image: Tensor, theirs: Tensor, home: Tensor) -> Tensor:
    """Values moved from one set of quantiles to another, both ascending (Q,), linear in between and
    by the outermost step beyond."""
    place = torch.searchsorted(theirs, image.contiguous()).clamp(1, len(theirs) - 1)
    low, high = theirs[place - 1], theirs[place]
    share = ((image - low) / (high - low).clamp_min(1e-3)).clamp(0, 1)
    return home[place - 1] + share * (home[place] - home[place - 1])
