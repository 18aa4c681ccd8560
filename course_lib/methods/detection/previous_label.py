"""The previous visit's label again: what earlier reports are worth without an image or a date.

    p(fast growth) = share of training intervals that stay as the interval before was

Growth tends to stay as it was, and the networks are told the previous label. They must beat this.

What was reported before, (N, T) 1, 0 or -1 unknown → the probability of fast growth before each
visit, (N, T); one half where the label before is unknown.
Source: none.
"""

from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.methods.base import Classical


class PreviousLabel(Classical):
    """The same share for fast and for slow growth."""

    def build(self, facts: Facts) -> None:
        """Nothing is counted yet."""
        self.stays = 0.75  # above one half, so that the order is right

    def prepare(self, train: Cases) -> None:
        """Counts how often growth stays as it was."""
        before, now = train["growth"][:, :-1], train["growth"][:, 1:]
        known = (before >= 0) & (now >= 0)
        self.stays = float((before == now)[known].float().mean())

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The share after fast growth, what is missing to one after slow growth."""
        before = batch["reported"]
        fast = before.new_full(before.shape, 0.5)
        fast[before == 1], fast[before == 0] = self.stays, 1 - self.stays
        return {"fast": fast}
