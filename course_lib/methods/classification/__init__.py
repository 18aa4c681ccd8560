"""Methods of classification (survey section 4.1), and what those that learn share.

A few hundred images are soon known by heart. So every second image of a batch is turned, stretched
and slanted a little, features are dropped at random before the last layer, and weights decay.
Tried with the ResNet on BreastMNIST, 78 images to validate, 25 seconds: the Brier score is 0.141
with these remedies and 0.183 without any, the accuracy 0.94 and 0.88; AUC, 0.90 and 0.91, does not
tell them apart. No other setting was tried.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method, Sample
from course_lib.parts.augment import Change, half_changed


class Classifier(Method):
    """A method that learns to classify, with the same remedies as all others here."""

    warm_up = 20
    change: Change | None = Change(False, 15.0, 0.0, 0.1, 0.1, 0.0)
    dropout: float = 0.3
    decay: float = 0.05

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """A training batch; what belongs to an image is changed as the image is."""
        batch = sample(train, count)
        if self.change is None:
            return batch
        return half_changed(batch, self.change, ("image", "mask", "background"))

    def dropped(self, features: Tensor) -> Tensor:
        """Features of which training drops some."""
        return F.dropout(features, self.dropout, self.training)

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam with decay of the weights."""
        return torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.decay)
