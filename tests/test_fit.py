"""The training loop, on problems whose answer is known."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from course_lib import device
from course_lib.cases import Cases
from course_lib.errors import CourseError
from course_lib.fit import _stage_steps, evaluate, fit, predict, step
from course_lib.methods.base import Classical, Method, Stage
from course_lib.tasks.base import Metric, Plan, Splits, Task

PLAN = Plan(steps=150, batch=16, evaluations=3)


def line(count, seed):
    """Cases of y = 3 x."""
    x = torch.randn(count, 1, generator=torch.Generator().manual_seed(seed))
    names = [f"{seed}-{i}" for i in range(count)]
    return Cases({"x": x, "y": 3 * x}, names, names, ["all"] * count, torch.ones(count, 1))


SPLITS = Splits(line(64, 1), line(8, 2), line(8, 3))
TASK = Task(
    id="line",
    title="a line",
    survey="",
    headline="error",
    metrics={"error": Metric("", "lower", "squared error")},
    sources={"none": ()},
    plans={"smoke": PLAN},
    make=lambda dataset, profile, seed: SPLITS,
    sample=lambda cases, profile, count, generator: cases.batch(
        torch.randint(len(cases), (count,), generator=generator)
    ),
    score=lambda prediction, batch: {"error": (prediction - batch["y"]).square()[:, 0]},
    pictures=lambda prediction, batch: {},
    lesson="",
)


class Slope(Method):
    """y = a x."""

    learning_rate = 0.1

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(()))

    def predict(self, batch):
        return self.a * batch["x"]

    def losses(self, batch):
        yield "network", (self.predict(batch) - batch["y"]).square().mean()


def test_learns_and_leaves_a_curve():
    method = Slope()
    history = fit(method, TASK, SPLITS, profile="smoke", seed=0, progress=False)
    assert method.a.item() == pytest.approx(3, abs=0.05)
    assert [row["step"] for row in history.curve] == [50, 100, 150]
    assert history.curve[-1]["validation"]["error"] < history.curve[0]["validation"]["error"]
    assert history.steps == 150 and history.seconds > 0


def test_the_same_seed_gives_the_same_weights():
    def trained(seed):
        method = Slope()
        fit(method, TASK, SPLITS, profile="smoke", seed=seed, plan=Plan(5, 4), progress=False)
        return method.a.item()

    assert trained(1) == trained(1) != trained(2)


def test_global_randomness_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(Slope(), TASK, SPLITS, profile="smoke", seed=0, plan=Plan(2, 4), progress=False)
    with device.seeded(3):
        torch.rand(7)
    assert torch.equal(torch.rand(1), expected)


class Game(Method):
    """Two players with one number each; the second looks through the first."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
        self.seen = []

    def players(self):
        return {"first": [self.first], "second": [self.second]}

    def after_step(self, player):
        self.seen.append(player)

    def losses(self, batch):
        yield "first", self.first.square()
        before = self.first.item()
        yield "second", (self.second * self.first).square()
        assert self.first.item() == before


def test_a_loss_steps_only_its_own_player():
    game = Game()
    players = {name: list(values) for name, values in game.players().items()}
    optimisers = {name: torch.optim.SGD(values, lr=0.1) for name, values in players.items()}
    losses = dict(step(game, {}, players, optimisers))
    assert game.first.item() == pytest.approx(0.8)  # 1 - 0.1 · 2
    assert game.second.item() == pytest.approx(1 - 0.1 * 2 * 0.8**2)
    assert losses["second"].item() == pytest.approx(0.64)  # made after the first player's step
    assert game.seen == ["first", "second"]


def test_stages_share_all_steps_in_order():
    method = Slope()
    method.stages = (Stage("a", 1), Stage("b", 2), Stage("c", 1))
    assert _stage_steps(method, 10) == [("a", 2), ("b", 6), ("c", 2)]
    assert sum(steps for _, steps in _stage_steps(method, 7)) == 7
    assert _stage_steps(method, 1) == [("b", 1)]


class Watched(Slope):
    """Keeps the learning rate of each step."""

    def optimiser(self, player, parameters):
        self.rates = []
        self.own = super().optimiser(player, parameters)
        return self.own

    def after_step(self, player):
        self.rates.append(self.own.param_groups[0]["lr"])


def test_the_learning_rate_falls_as_half_a_cosine():
    method = Watched()
    fit(method, TASK, SPLITS, profile="smoke", seed=0, plan=Plan(100, 4), progress=False)
    assert len(method.rates) == 100 and method.rates == sorted(method.rates, reverse=True)
    assert method.rates[0] == pytest.approx(0.1)
    assert method.rates[50] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert 0.001 < method.rates[-1] < 0.0011


class Diverging(Slope):
    """Its loss is no number."""

    def losses(self, batch):
        yield "network", self.a * float("nan")


def test_divergence_is_said():
    with pytest.raises(CourseError, match="diverged"):
        fit(Diverging(), TASK, SPLITS, profile="smoke", seed=0, progress=False)


class Constant(Classical):
    """y = a x with a from a grid."""

    a = 0.0
    grid: ClassVar = tuple({"a": value} for value in (1.0, 2.9, 5.0))

    def predict(self, batch):
        return self.a * batch["x"]


def test_classical_settings_are_chosen_on_validation_only():
    method = Constant()
    elsewhere = Splits(SPLITS.train, SPLITS.validation, line(8, 3))
    elsewhere.test["y"].mul_(-50)  # must not matter
    history = fit(method, TASK, elsewhere, profile="smoke", seed=0, progress=False)
    assert history.chosen == {"a": 2.9} and method.a == 2.9 and history.candidates == 3
    assert evaluate(method, TASK, SPLITS.validation)["error"] < 0.05


def test_predictions_come_in_order_whatever_the_batch():
    method = Constant()
    method.a = 2.0
    whole, parts = (predict(method, SPLITS.test, batch) for batch in (8, 3))
    assert torch.equal(whole, parts)


def test_memory_advice_and_other_errors():
    with pytest.raises(CourseError, match="smaller profile"), device.memory_advice():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="shape"), device.memory_advice():
        raise RuntimeError("shape mismatch")


def test_an_absent_device_is_refused(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "tpu")
    with pytest.raises(CourseError, match=r"this machine has: .*cpu"):
        device.choose()
    assert device.choose("cpu").type == "cpu"
    assert "cpu" in device.describe(torch.device("cpu"))
