"""The most frequent class: what accuracy is worth without looking.

Every image (N, C, H, W) gets the training cases' share of each class, (N, classes); before training
all classes are alike.
"""

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical


class Majority(Classical):
    """The same probabilities for all."""

    def build(self, facts: Facts) -> None:
        """All classes alike."""
        self.shares = torch.full((facts.classes,), 1 / facts.classes)

    def prepare(self, train: Cases) -> None:
        """Counts the classes."""
        count = torch.bincount(train["label"].cpu(), minlength=self.facts.classes)
        self.shares = count / count.sum()

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        image = batch["image"]
        return self.shares.to(image.device).expand(len(image), -1).clone()
