"""The most frequent class: what accuracy is worth without looking.

Every image (N, C, H, W) gets the training cases' share of each class, (N, classes); before training
all classes are alike.
"""

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Classical


class Majority(Classical):
    """The same probabilities for all."""

    shares: Tensor | None = None

    def prepare(self, train: Cases) -> None:
        """Counts the classes."""
        classes = int(train["classes"][0])
        count = torch.bincount(train["label"].cpu(), minlength=classes)
        self.shares = count / count.sum()

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        cases, classes = len(batch["image"]), int(batch["classes"][0])
        shares = torch.full((classes,), 1 / classes) if self.shares is None else self.shares
        return shares.to(batch["image"].device).expand(cases, -1).clone()
