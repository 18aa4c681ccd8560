"""Curriculum learning: easy cases first, as a physician learns (survey 4.1).

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
doi 10.1145/1553374.1553380. The survey cites two others: [100], which decomposes classes and is no
curriculum, and [101], Oksuz et al. 2019.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Sample
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
    unit = unit_range(train["image"], train.facts.window)
    image = unit.flatten(1, -3)  # slices and channels alike
    small = F.adaptive_avg_pool2d(image, 8).flatten(1)
    small = (small - small.mean(0)) / (small.std(0) + 1e-3)
    label = train["label"]
    with torch.enable_grad():
        weight = torch.zeros(small.shape[1], train.facts.classes, device=small.device)
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
    Raises CourseError for an unknown order, and for a pace that is none.
    """

    def __init__(self, order: str = "easy", start: float = 0.3, full_at: float = 0.6) -> None:
        super().__init__()
        if order not in ORDERS:
            raise CourseError(f"There is no order {order!r}; there are: {', '.join(ORDERS)}.")
        if not (0 < start <= 1 and 0 < full_at <= 1):
            raise CourseError(
                f"start and full_at lie above 0 and up to 1, not {start} and {full_at}."
            )
        self.order, self.pace = order, LinearPace(start, full_at)

    def build(self, facts: Facts) -> None:
        """The network; forgets the order of the cases."""
        super().build(facts)
        self.ranking: list[int] = []
        self.easiest: Cases | None = None

    def begin(self, stage: str, train: Cases) -> None:
        """Ranks the training cases; within a class, so that a curriculum leaves out none."""
        difficulty = (disagreement if train.facts.rated else teacher_loss)(train).cpu()
        if self.order == "random":
            difficulty = torch.rand(len(train))
        difficulty = -difficulty if self.order == "hard" else difficulty
        label, place = train["label"].cpu(), torch.zeros(len(train))
        for c in label.unique():
            own = torch.nonzero(label == c).flatten()
            order = difficulty[own].argsort(stable=True)
            place[own[order]] = torch.linspace(0, 1, len(own) + 1)[1:]
        self.ranking = place.argsort(stable=True).tolist()

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """A batch of the easiest share of the cases, which are put together only when more may be
        drawn than before."""
        share = self.pace(self.done)
        if share >= 1:
            self.easiest = None
            return super().draw(train, sample, count)
        many = max(2, round(share * len(self.ranking)))
        if self.easiest is None or len(self.easiest) != many:
            self.easiest = train.subset(self.ranking[:many])
        return super().draw(self.easiest, sample, count)
