"""Curriculum learning: easy cases first, as a physician learns (survey 4.1, [100-101]).

Two things make a curriculum, and they are separate here: a *difficulty* (N,) of each training case,
and a *pace*, the share of the cases, easiest first, that may be drawn at a share t of the steps:

    pace(t) = start + (1 − start) · min(t / full_at, 1)

Network, loss and number of updates stay those of `resnet_baseline`: images (N, C, H, W) in,
probabilities (N, classes) out; only which cases are drawn differs. Difficulty is how unsure the
readers were: how near their mean rating lies to 3, "indeterminate". Two controls draw with the same
pace: `order="random"` and `order="hard"` (hard cases first). A gain over uniform drawing that the
random order has too was no gain of the curriculum.

Shrunk: the paper's shapes and language models become a ResNet on nodules; one linear pace instead
of two steps. Where cases have no rating (data of your own), difficulty is the loss of a teacher, a
linear classifier on small images.

Source: Bengio, Louradour, Collobert & Weston 2009, Curriculum learning, ICML,
doi 10.1145/1553374.1553380. The survey's [100] decomposes classes and is no curriculum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases
from course_lib.errors import CourseError
from course_lib.methods.classification.resnet_baseline import ResNetBaseline
from course_lib.parts.intensity import unit_range

ORDERS = ("easy", "random", "hard")


@dataclass(frozen=True)
class LinearPace:
    """From a share `start` of the cases to all of them once `full_at` of the steps are done."""

    start: float = 0.3
    full_at: float = 0.6

    def __call__(self, done: float) -> float:
        """The share of the cases that may be drawn."""
        return self.start + (1 - self.start) * min(done / self.full_at, 1.0)


def disagreement(train: Cases) -> Tensor:
    """0 where the readers are sure (mean rating 1 or 5), 2 where their mean is nearly 3; (N,)."""
    return 2 - (train["malignancy"] - 3).abs()


def teacher_loss(train: Cases) -> Tensor:
    """Cross-entropy of a linear classifier on 8x8 images, fitted on the same cases; (N,)."""
    image = unit_range(train.tensors).flatten(1, -3)  # slices and channels alike
    small = F.adaptive_avg_pool2d(image, 8).flatten(1)
    small = (small - small.mean(0)) / (small.std(0) + 1e-3)
    label = train["label"]
    with torch.enable_grad():
        weight = torch.zeros(small.shape[1], int(train["classes"][0]), device=small.device)
        weight.requires_grad_()
        for _ in range(100):
            loss = F.cross_entropy(small @ weight, label) + 1e-2 * weight.square().sum()
            (slope,) = torch.autograd.grad(loss, weight)
            weight = (weight - 0.05 * slope).detach().requires_grad_()
    return F.cross_entropy(small @ weight.detach(), label, reduction="none")


class CurriculumLearning(ResNetBaseline):
    """A ResNet that is shown easy cases first.

    Arguments:
        order: `easy` first, `hard` first, or `random`.
        start, full_at: of the pace.
    Raises CourseError for an unknown order.
    """

    def __init__(self, order: str = "easy", start: float = 0.3, full_at: float = 0.6) -> None:
        super().__init__()
        if order not in ORDERS:
            raise CourseError(f"There is no order {order!r}; there are: {', '.join(ORDERS)}.")
        self.order, self.pace = order, LinearPace(start, full_at)
        self.ranking: list[int] | None = None

    def prepare(self, train: Cases) -> None:
        """Ranks the training cases; within a class, so that a curriculum leaves out none."""
        super().prepare(train)
        rated = "malignancy" in train.tensors
        difficulty = (disagreement if rated else teacher_loss)(train).cpu()
        if self.order == "random":
            difficulty = torch.rand(len(train))
        difficulty = -difficulty if self.order == "hard" else difficulty
        label, place = train["label"].cpu(), torch.zeros(len(train))
        for c in label.unique():
            own = torch.nonzero(label == c).flatten()
            place[own[difficulty[own].argsort(stable=True)]] = torch.linspace(0, 1, len(own) + 1)[
                1:
            ]
        self.ranking = place.argsort(stable=True).tolist()

    def pool(self, done: float) -> Sequence[int] | None:
        """The easiest share of the cases."""
        if self.ranking is None:
            return None
        share = self.pace(done)
        return None if share >= 1 else self.ranking[: max(2, round(share * len(self.ranking)))]
