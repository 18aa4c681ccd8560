"""Class-wise DCGANs for a lesion classifier: made lesions on top of classic augmentation.

New in the paper: one DCGAN for each class, trained on the classically augmented patches of the
training part only, so that every made lesion comes with its label; and the test that counts,
whether a classifier that learns from real, classically changed and made lesions is better than
one without the made ones, where classic augmentation alone has reached its plateau. For class c

    D_c:  mean -log σ(D_c(x)) + mean -log(1 - σ(D_c(G_c(z))))      x of class c
    G_c:  mean -log σ(D_c(G_c(z)))

The classifier's loss is the cross-entropy. Half of each of its batches is made, half is real and
changed as far as was best on validation without made lesions.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2) and generated patches in HU. Shrunk:
two classes of lung nodules for three of liver lesions, 32 pixels for 64, and the narrow networks,
noise and two speeds of `dcgan`; both pairs share a batch, so that the discriminators see as many
patches in all.

Frid-Adar et al. 2018, Neurocomputing 321:321-331, doi 10.1016/j.neucom.2018.09.013.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.augment import NOTHING, Change
from course_lib.parts.augmentation import dcgan
from course_lib.parts.augmentation.downstream import Judged
from course_lib.parts.hounsfield import from_lung_range, lung_range

CLASSES = ("benign", "malignant")


class LiverDCGAN(Judged, Method):
    """One pair of networks for each class.

    Arguments:
        classic: whether the judge's real patches are changed too; the paper's answer is yes.
        share: the made part of each of the judge's batches.
    """

    learning_rate = 1e-3
    discriminator_rate = 2.5e-4
    seen = Change(noise=0.0)
    veil = 0.25

    def __init__(
        self, size: int = 32, width: int = 16, classic: bool = True, share: float = 0.5
    ) -> None:
        super().__init__()
        self.change, self.share = (Change() if classic else NOTHING), share
        self.generators = nn.ModuleList(dcgan.generator(size, width) for _ in CLASSES)
        self.discriminators = nn.ModuleList(dcgan.Discriminator(size, width) for _ in CLASSES)

    def prepare(self, train: Cases) -> None:
        """Keeps the real patches for the judge."""
        self.remember(train["image"], train["label"])

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """Discriminator and generator of each class."""
        named = {}
        for name, judge, maker in zip(CLASSES, self.discriminators, self.generators, strict=True):
            named[f"discriminator, {name}"] = judge.parameters()
            named[f"generator, {name}"] = maker.parameters()
        return named

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with DCGAN's β₁ = 0.5; discriminators learn at a quarter of the speed."""
        rate = self.learning_rate if player.startswith("generator") else self.discriminator_rate
        return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """For each class that the batch holds: the discriminator's loss, then the generator's."""
        for label, name in enumerate(CLASSES):
            patches = batch["image"][batch["label"] == label]
            if len(patches) < 2:  # batch norm needs two
                continue
            real = lung_range(self.seen(patches, torch.default_generator))
            made = self.generators[label](dcgan.noise(len(real)).to(real.device))
            verdicts = (self.verdict(label, picture) for picture in (real, made.detach()))
            yield f"discriminator, {name}", discriminator_cross_entropy(*verdicts)
            yield f"generator, {name}", non_saturating_generator(self.verdict(label, made))

    def verdict(self, label: int, picture: Tensor) -> Tensor:
        """The logits (N,) of one class's discriminator, of pictures under noise."""
        return self.discriminators[label](dcgan.veiled(picture, self.veil))

    def after_step(self, player: str) -> None:
        """What the judge has learnt from is no longer what is drawn."""
        self.forget_judges()

    def draw(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Made patches of the classes (n,): HU (n, 1, H, W) and certain labels."""
        z = dcgan.noise(len(label), generator).to(self.real.device)
        made = self.real.new_empty(len(label), *self.real.shape[1:])
        for number, maker in enumerate(self.generators):
            made[label == number] = maker(z[label == number])
        return from_lung_range(made), F.one_hot(label, 2).float()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities and pictures: see `Judged.answer`."""
        return self.answer(batch)
