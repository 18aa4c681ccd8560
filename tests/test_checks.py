"""The checks of `course check-method` against methods that are wrong, each in one way."""

import pytest
import torch
from torch import nn

from course_lib.benchmark import checks
from course_lib.methods.base import Classical, Method, Stage
from course_lib.tasks.base import Splits
from tests.test_fit import LINE, line


class Sound(Method):
    """y = a x from a random a."""

    learning_rate = 0.05

    def build(self, facts):
        self.a = nn.Parameter(torch.rand(1))

    def predict(self, batch):
        return self.a * batch["x"]

    def losses(self, batch):
        yield "network", (self.predict(batch) - batch["y"]).square().mean()


class Shift(Classical):
    """y = x, and what it is told."""

    grid = ({"by": 0.0}, {"by": 1.0})
    by = 0.0

    def predict(self, batch):
        return batch["x"] + self.by


def failures(cls):
    """The names of the checks that a method does not pass."""
    found = []
    splits = Splits(line(64, 1), line(8, 2), line(8, 3))  # of its own: some spoil what they see
    subject = checks.Subject(make=cls, question=LINE, splits=splits)
    checks.check(subject, lambda what, fault: found.append(what) if fault else None)
    return {what.partition(" (")[0] for what in found}


@pytest.mark.parametrize("cls", [Sound, Shift])
def test_what_is_sound_passes(cls):
    assert failures(cls) == set()


class Eager(Sound):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.rand(1))


class Spoiling(Sound):
    def predict(self, batch):
        return self.a * batch["x"].add_(1)


class Silent(Sound):
    def predict(self, batch):
        return torch.full_like(batch["x"], torch.nan)

    def losses(self, batch):
        yield "network", (self.a * batch["x"] - batch["y"]).square().mean()


class Restless(Sound):
    """Takes its first weight from elsewhere than torch's seed."""

    count = 0

    def build(self, facts):
        Restless.count += 1
        self.a = nn.Parameter(torch.tensor([Restless.count / 7]))


class Deaf(Sound):
    """Neither its start nor its batches follow the seed."""

    def build(self, facts):
        self.a = nn.Parameter(torch.zeros(1))

    def draw(self, train, sample, count):
        return train.batch(slice(0, count))


class Clinging(Sound):
    """Keeps its weights for the next training."""

    def build(self, facts):
        if not hasattr(self, "a"):
            super().build(facts)


class Idle(Sound):
    """Has a weight that is in no loss."""

    def build(self, facts):
        super().build(facts)
        self.spare = nn.Parameter(torch.rand(1))


class Skipping(Sound):
    """Names two players for its second stage, and steps one."""

    stages = (Stage("one", 1, ("network",)), Stage("two", 1, ("network", "other")))

    def build(self, facts):
        super().build(facts)
        self.b = nn.Parameter(torch.rand(1))

    def players(self):
        return {"network": [self.a], "other": [self.b]}


class Remembering(Shift):
    """Its answers depend on how often it was asked."""

    asked = 0

    def predict(self, batch):
        self.asked += 1
        return batch["x"]


class Learner(Classical):
    """Learns a mean, and adds it to what an earlier training left."""

    total = 0.0

    def prepare(self, train):
        self.total += float(train["y"].abs().mean())

    def predict(self, batch):
        return batch["x"] + self.total


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (Eager, "options only"),
        (Spoiling, "leaves its input alone"),
        (Silent, "predicts"),
        (Restless, "repeats and never sees the test"),
        (Deaf, "follows the seed"),
        (Clinging, "a second training starts anew"),
        (Idle, "every weight learns"),
        (Skipping, "every weight learns"),
        (Remembering, "repeats and never sees the test"),
        (Learner, "a second training starts anew"),
    ],
)
def test_what_is_wrong_fails(cls, check):
    assert check in failures(cls)


class Still(Sound):
    """Its loss does not fall, because it takes no step."""

    learning_rate = 0.0


def test_a_loss_that_does_not_fall_is_noticed():
    assert "the loss falls" in failures(Still)
