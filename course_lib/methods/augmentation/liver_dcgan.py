"""Class-wise DCGANs for a lesion classifier: made lesions on top of classic augmentation.

New in the paper: one DCGAN for each class, trained on the classically augmented patches of the
training part only, so that every made lesion comes with its label; and the test that counts,
whether a classifier that learns from real, classically changed and made lesions is better than
one without the made ones, where classic augmentation alone has reached its plateau. For class c

    D_c:  mean -log σ(D_c(x)) + mean -log(1 - σ(D_c(G_c(z))))      x of class c
    G_c:  mean -log σ(D_c(G_c(z)))

The classifier's loss is the cross-entropy. A part of each of its batches is made, the rest is real
and classically changed; `share=0`, with the same changes and no made lesions, is the paper's other
arm.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2) and generated patches in HU. Shrunk:
two classes of lung nodules for three of liver lesions, 32 pixels for 64, and the narrow networks,
fading noise, two speeds and averaged weights of `dcgan`; both pairs share a batch, so that the
discriminators see as many patches in all. On validation made lesions add nothing to the classic
changes: AUC 0.956 without them, 0.956, 0.953 and 0.948 where an eighth, a quarter and half of the
judge's batches are made (one seed).

Frid-Adar et al. 2018, Neurocomputing 321:321-331, doi 10.1016/j.neucom.2018.09.013.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Method
from course_lib.parts.augment import NOTHING, Change
from course_lib.parts.augmentation import dcgan
from course_lib.parts.augmentation.downstream import STRENGTH, Judged, certain, checked
from course_lib.parts.hounsfield import from_lung_range


class LiverDCGAN(Judged, dcgan.Game, Method):
    """One pair of networks for each class.

    Arguments:
        width: maps at half the size of a picture.
        classic: whether the judge's real patches are changed too; the paper's answer is yes.
        share: the made part of each of the judge's batches, 0 to 1.
    """

    evaluations = 1  # each trains judges

    def __init__(self, width: int = 16, classic: bool = True, share: float = 0.25) -> None:
        super().__init__()
        self.width, self.share = width, checked(share)
        self.change = Change().times(STRENGTH) if classic else NOTHING

    def build(self, facts: Facts) -> None:
        """Generators and discriminators."""
        super().build(facts)
        form, count = (facts.side, facts.channels, self.width), len(facts.classes)
        makers = [dcgan.generator(*form) for _ in range(count)]
        judges = [dcgan.Discriminator(*form) for _ in range(count)]
        self.of_class = nn.ModuleList(map(dcgan.Pair, makers, judges))

    @property
    def pairs(self) -> dict[str, dcgan.Pair]:
        """The pair of each class, `, benign` behind the names of its players."""
        names = (f", {name}" for name in self.facts.classes)
        return dict(zip(names, self.of_class, strict=True))

    def begin(self, stage: str, train: Cases) -> None:
        """Keeps the real patches for the judge."""
        self.remember(train["image"], train["label"])

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """For each class that the batch holds: the game of its pair, on its patches."""
        for label, (whose, pair) in enumerate(self.pairs.items()):
            patches = batch["image"][batch["label"] == label]
            if len(patches) < 2:  # batch norm needs two
                continue
            for player, loss in pair.losses(patches, self.done):
                yield player + whose, loss

    def after_step(self, player: str) -> None:
        """What the judge has learnt from is no longer what is drawn."""
        self.forget_judges()

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Made patches of the classes (n,): HU (n, 1, H, W) and certain labels."""
        z = dcgan.noise(len(label), generator).to(self.real.device)
        made = self.real.new_empty(len(label), *self.real.shape[1:])
        for number, pair in enumerate(self.pairs.values()):
            made[label == number] = pair.generator(z[label == number])
        return from_lung_range(made), certain(label)
