"""DCGAN: two convolutional networks play against each other, and the generator draws patches.

New in the paper: a recipe that made GANs of convolutions train. No pooling, no hidden dense
layers; batch norm in both networks but at the picture's end; ReLU in G and leaky ReLU in D; tanh;
Adam with β₁ = 0.5; weights from N(0, 0.02²). The game is that of Goodfellow et al. 2014:

    D:  mean -log σ(D(x)) + mean -log(1 - σ(D(G(z))))
    G:  mean -log σ(D(G(z)))                                with z ~ N(0, 1)

The survey names it for new samples, but its generator knows no classes. Here the judge itself,
trained on the real patches, says how likely each made patch is malignant (pseudo-labels; not in
the paper), and then learns from made ones and from real, classically changed ones. So the made
ones can show it new pictures, but nothing new about classes.

Input (N, 1, 32, 32) HU; out come class probabilities (N, 2) and generated patches in HU. Shrunk:
32 pixels instead of 64, 64 to 16 maps instead of 1,024 to 128, z of 64 numbers instead of 100. D
sees classically changed patches under white noise (175 HU, fading to none) and learns at a quarter
of G's speed (2.5e-4 and 1e-3 instead of 2e-4 each): with a hundred patches it otherwise wins in a
hundred steps, and G draws a chequered pattern. Pictures are drawn with averaged weights.

Radford, Metz & Chintala 2016, ICLR, arXiv:1511.06434 (doi 10.48550/arXiv.1511.06434).
"""

import torch
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.methods.base import Method
from course_lib.parts.augment import Change
from course_lib.parts.augmentation import dcgan
from course_lib.parts.augmentation.downstream import STRENGTH, Judged, checked
from course_lib.parts.hounsfield import from_lung_range


class DCGAN(Judged, dcgan.Game, Method):
    """One generator for all classes.

    Arguments:
        width: maps at half the size of a picture.
        share: the made part of each of the judge's batches, 0 to 1; 0 is classic augmentation.
    """

    change = Change().times(STRENGTH)
    evaluations = 1  # each trains judges

    def __init__(self, width: int = 16, share: float = 0.25) -> None:
        super().__init__()
        self.width, self.share = width, checked(share)

    def build(self, facts: Facts) -> None:
        """Generator and discriminator."""
        super().build(facts)
        self.pair = dcgan.pair(facts.side, facts.channels, self.width)

    def begin(self, stage: str, train: Cases) -> None:
        """Keeps the real patches, and trains who will label the made ones."""
        self.remember(train["image"], train["label"])
        share, self.share = self.share, 0.0
        self.teachers = list(self.judges())
        self.share = share
        self.forget_judges()

    def after_step(self, player: str) -> None:
        """What the judge has learnt from is no longer what is drawn."""
        self.forget_judges()

    def pictures_of(self, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Made patches, HU (n, 1, H, W), and the teachers' probabilities (n, 2) for them."""
        z = dcgan.noise(len(label), generator).to(self.real.device)
        made = self.pair.generator(z)
        guess = torch.stack([teacher(made).softmax(1) for teacher in self.teachers]).mean(0)
        return from_lung_range(made), guess
