"""The training loop, on problems whose answer is known."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from course_lib import device
from course_lib.cases import Cases, Facts
from course_lib.errors import CourseError
from course_lib.fit import evaluate, fit, predict
from course_lib.learning import entered, stage_steps
from course_lib.methods.base import Classical, Method, Stage
from course_lib.tasks.base import Metric, Plan, Question, Splits

PLAN = Plan(steps=150, batch=16, evaluations=3)


def line(count, seed):
    """Cases of y = 3 x."""
    x = torch.randn(count, 1, generator=torch.Generator().manual_seed(seed))
    names = [f"{seed}-{i}" for i in range(count)]
    return Cases(
        {"x": x, "y": 3 * x},
        names,
        names,
        ["all"] * count,
        torch.ones(count, 1),
        facts=Facts(dims=1, channels=1),
    )


SPLITS = Splits(line(64, 1), line(8, 2), line(8, 3))
LINE = Question(
    id="line",
    title="a line",
    fields={},
    facts={},
    headline="error",
    metrics={"error": Metric("", "lower", "squared error")},
    sources={"none": ()},
    plans={"smoke": PLAN},
    make=lambda dataset, profile, seed: SPLITS,
    sample=lambda cases, profile, count, generator: cases.batch(
        torch.randint(len(cases), (count,), generator=generator)
    ),
    score=lambda prediction, batch, facts: {"error": (prediction - batch["y"]).square()[:, 0]},
    pictures=lambda prediction, batch, facts: {},
)


class Slope(Method):
    """y = a x."""

    learning_rate = 0.1

    def build(self, facts):
        self.a = nn.Parameter(torch.zeros(()))

    def predict(self, batch):
        return self.a * batch["x"]

    def losses(self, batch):
        yield "network", (self.predict(batch) - batch["y"]).square().mean()


def test_learns_and_leaves_a_curve():
    method = Slope()
    history = fit(method, LINE, SPLITS, profile="smoke", seed=0, progress=False)
    assert method.a.item() == pytest.approx(3, abs=0.05)
    assert [row["step"] for row in history.curve] == [50, 100, 150]
    assert history.curve[-1]["validation"]["error"] < history.curve[0]["validation"]["error"]
    assert history.steps == 150 and history.seconds > 0


def test_the_same_seed_gives_the_same_weights():
    def trained(seed):
        method = Slope()
        fit(method, LINE, SPLITS, profile="smoke", seed=seed, plan=Plan(5, 4), progress=False)
        return method.a.item()

    assert trained(1) == trained(1) != trained(2)


def test_global_randomness_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(Slope(), LINE, SPLITS, profile="smoke", seed=0, plan=Plan(2, 4), progress=False)
    with device.seeded(3):
        torch.rand(7)
    assert torch.equal(torch.rand(1), expected)


class Game(Method):
    """Two players with one number each; the second looks through the first."""

    def build(self, facts):
        self.first, self.second = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
        self.seen = []

    def optimiser(self, player, parameters):
        return torch.optim.SGD(parameters, lr=0.1)

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
    game = Game().fresh(SPLITS.facts)
    with entered(game, game.stages[0], SPLITS.train) as turn:
        losses = dict(turn.step({}))
    assert game.first.item() == pytest.approx(0.8)  # 1 - 0.1 · 2
    assert game.second.item() == pytest.approx(1 - 0.1 * 2 * 0.8**2)
    assert losses["second"].item() == pytest.approx(0.64)  # made after the first player's step
    assert game.seen == ["first", "second"]


def test_stages_share_all_steps_in_order():
    method, stages = Slope(), (Stage("a", 1), Stage("b", 2), Stage("c", 1))
    method.stages = stages
    assert stage_steps(method, 10) == list(zip(stages, (2, 6, 2), strict=True))
    assert sum(steps for _, steps in stage_steps(method, 7)) == 7
    assert stage_steps(method, 1) == [(stages[1], 1)]


class Pair(Method):
    """Two normalised layers that learn one after the other, then together; a third never learns."""

    learning_rate = 0.01
    stages = (Stage("first", 1, ("below",)), Stage("second", 1, ("above",)), Stage("both", 2))

    def build(self, facts):
        self.below = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4))
        self.above = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.fixed = nn.Linear(1, 1).requires_grad_(False)
        self.told_of, self.seen = [], []

    def players(self):
        return {
            "below": self.below.parameters(),
            "above": self.above.parameters(),
        }

    def begin(self, stage, train):
        self.told_of.append((stage, len(train)))

    def losses(self, batch):
        modes = self.below.training, self.above.training, self.fixed.training
        self.seen.append((self.stage, self.done, modes))
        error = (self.predict(batch) - batch["y"]).square().mean()
        turns = {"first": ("below",), "second": ("above",), "both": ("below", "above")}
        yield from ((player, error) for player in turns[self.stage][:1])
        if self.stage == "both":
            yield "above", (self.predict(batch) - batch["y"]).square().mean()

    def predict(self, batch):
        return self.above(self.below(batch["x"])) + 0 * self.fixed(batch["x"])


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_only_the_players_of_a_stage_learn_and_the_rest_stands_still():
    pair = Pair().fresh(SPLITS.facts)
    assert pair.stage == "both" and pair.done == 1
    for stage, still in zip(pair.stages, ("above", "below", None), strict=True):
        before = {name: state(module) for name, module in pair.named_children()}
        with entered(pair, stage, SPLITS.train) as turn:
            assert set(turn.players) == set(stage.learns or ("below", "above"))
            turn.train()
            for _ in range(3):
                list(turn.step(SPLITS.train.tensors))
        for name, module in pair.named_children():
            same = [torch.equal(v, module.state_dict()[k]) for k, v in before[name].items()]
            assert all(same) if name in (still, "fixed") else not all(same), (stage.name, name)
        assert all(p.requires_grad for p in (*pair.below.parameters(), *pair.above.parameters()))
        assert not any(p.requires_grad for p in pair.fixed.parameters())


def test_a_method_is_told_when_a_stage_starts_and_how_far_it_is():
    pair = Pair()
    fit(pair, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(8, 4, 1), progress=False)
    assert pair.told_of == [("first", 64), ("second", 64), ("both", 64)]
    assert [(stage, done) for stage, done, _ in pair.seen] == [
        ("first", 0.0), ("first", 0.5), ("second", 0.0), ("second", 0.5),
        ("both", 0.0), ("both", 0.25), ("both", 0.5), ("both", 0.75),
    ]  # fmt: skip
    assert [modes for _, _, modes in pair.seen[::2]] == [
        (True, False, False), (False, True, False), (True, True, False), (True, True, False),
    ]  # fmt: skip
    assert pair.stage == "both" and pair.done == 1


@pytest.mark.parametrize(("schedule", "jumps"), [("run", False), ("stage", True)])
def test_the_rate_falls_over_the_run_or_in_each_stage_anew(schedule, jumps):
    class Staged(Watched):
        stages = (Stage("a"), Stage("b"))

    method = Staged()
    method.schedule = schedule
    fit(method, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(40, 4), progress=False)
    assert len(method.rates) == 40 and method.rates[0] == pytest.approx(0.1)
    assert (method.rates[20] > method.rates[19]) == jumps
    assert method.rates[20] == pytest.approx(0.1 if jumps else 0.1 * (0.01 + 0.99 / 2))


class Drawing(Slope):
    """Draws from the first half of the cases until half of the steps are done."""

    def draw(self, train, sample, count):
        few = train.subset(range(len(train) // 2)) if self.done < 0.5 else train
        self.sizes.append(len(few))
        return sample(few, count)

    def build(self, facts):
        super().build(facts)
        self.sizes = []


def test_a_method_may_draw_its_own_batches():
    method = Drawing()
    fit(method, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(4, 4, 1), progress=False)
    assert method.sizes == [32, 32, 64, 64]


class Terms(Slope):
    """The error, and a pull towards zero."""

    def __init__(self, error=1.0, pull=0.5):
        super().__init__()
        self.error, self.pull = error, pull

    losses = Method.losses

    def terms(self, batch):
        return {
            "error": (self.predict(batch) - batch["y"]).square().mean(),
            "pull": self.a.square(),
        }


def test_terms_are_weighted_by_options_and_stand_in_the_curve():
    histories = {}
    for pull in (0.0, 0.5):
        method = Terms(pull=pull)
        histories[pull] = fit(method, LINE, SPLITS, profile="smoke", seed=0, progress=False)
        last = histories[pull].curve[-1]
        assert set(last["terms"]) == {"error", "pull"}
        total = last["terms"]["error"] + pull * last["terms"]["pull"]
        assert last["losses"]["network"] == pytest.approx(total, rel=1e-4)
        assert (method.a.item() == pytest.approx(3, abs=0.05)) == (pull == 0)
    assert (
        "terms"
        not in fit(
            Slope(), LINE, SPLITS, profile="smoke", seed=0, plan=Plan(1, 2, 1), progress=False
        ).curve[-1]
    )


def test_a_loss_without_any_term_says_so():
    with pytest.raises(CourseError, match="nothing to learn"):
        Terms().weighted({})


def test_a_second_training_starts_anew():
    method = Slope()
    for _ in range(2):
        fit(method, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(3, 4), progress=False)
        rest = method.a.item()
    once = Slope()
    fit(once, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(3, 4), progress=False)
    assert rest == once.a.item()


class Watched(Slope):
    """Keeps the learning rate of each step."""

    def build(self, facts):
        super().build(facts)
        self.rates = []

    def optimiser(self, player, parameters):
        self.own = super().optimiser(player, parameters)
        return self.own

    def after_step(self, player):
        self.rates.append(self.own.param_groups[0]["lr"])


def test_the_learning_rate_falls_as_half_a_cosine():
    method = Watched()
    fit(method, LINE, SPLITS, profile="smoke", seed=0, plan=Plan(100, 4), progress=False)
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
        fit(Diverging(), LINE, SPLITS, profile="smoke", seed=0, progress=False)


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
    history = fit(method, LINE, elsewhere, profile="smoke", seed=0, progress=False)
    assert history.chosen == {"a": 2.9} and method.a == 2.9 and history.candidates == 3
    assert evaluate(method, LINE, SPLITS.validation)["error"] < 0.05


class Undefined(Constant):
    """Its first setting gives no number."""

    grid: ClassVar = tuple({"a": value} for value in (float("nan"), 5.0, 2.9))


def test_a_setting_without_a_score_is_never_chosen():
    history = fit(Undefined(), LINE, SPLITS, profile="smoke", seed=0, progress=False)
    assert history.chosen == {"a": 2.9}


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
