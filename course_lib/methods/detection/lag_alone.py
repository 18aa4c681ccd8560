"""The last lag alone: what the calendar is worth without an image.

    p(fast growth) = logistic regression of log(days since the visit before)

Short lags and fast growth go together, because the lag is growth in size times doubling time. Who
is told the dates must beat this. With `label` also the label of the visit before is told: all that
tLSTM is told, less the images.

Days (N, T) and what was reported before, (N, T) 1, 0 or -1 unknown → the probability of fast
growth before each visit, (N, T). Where all lags are equal, and before training, it is the same for
all series.
Source: none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical


class LagAlone(Classical):
    """`label`: whether the previous visit's label is told as well."""

    def __init__(self, label: bool = False) -> None:
        self.label = label

    def build(self, facts: Facts) -> None:
        """Nothing is known yet: one half for all."""
        self.weights = torch.zeros(3)  # of the features, then the constant

    def prepare(self, train: Cases) -> None:
        """Fits the regression to all intervals of the training series."""
        from sklearn.linear_model import LogisticRegression

        growth = train["growth"].cpu()
        known = growth >= 0
        fitted = LogisticRegression().fit(self._features(train.tensors)[known], growth[known])
        self.weights = torch.tensor([*fitted.coef_[0], fitted.intercept_[0]]).float()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The probability of fast growth before each visit."""
        logits = self._features(batch) @ self.weights[:-1] + self.weights[-1]
        return {"fast": logits.sigmoid().to(batch["series"].device)}

    def _features(self, batch: Batch) -> Tensor:
        """Log of the lag in years, and the label of the visit before: 1, -1 or 0 unknown or not
        told. (N, T, 2)."""
        lag = F.pad(batch["days"].cpu().diff(dim=1), (1, 0)).clamp_min(1) / 365
        before = batch["reported"].cpu()
        before = torch.where(before < 0, 0, 2 * before - 1) * self.label
        return torch.stack([lag.log(), before], -1)
