"""What a method may ask of the training loop, and when the loop looks at validation."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from course_lib import device
from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.fit import evaluate, fit, predict
from course_lib.tasks.base import Plan, Splits
from tests.test_fit import LINE, SPLITS, Drawing, Pair, Slope, Watched


class Stepped(Slope):
    """Follows its gradient as it is, and keeps the weight after each step."""

    def build(self, facts):
        super().build(facts)
        self.weights = []

    def optimiser(self, player, parameters):
        return torch.optim.SGD(parameters, lr=self.learning_rate)

    def after_step(self, player):
        self.weights.append(self.a.item())


def trained(method, steps=20, evaluations=1, **levers):
    vars(method).update(levers)
    plan = Plan(steps, 4, evaluations)
    history = fit(method, LINE, SPLITS, profile="smoke", seed=0, plan=plan, progress=False)
    return method, history


def test_the_rate_rises_from_zero_over_the_first_steps():
    warm, cold = trained(Watched(), 40, warm_up=5)[0], trained(Watched(), 40)[0]
    shares = [a / b for a, b in zip(warm.rates, cold.rates, strict=True)]
    assert shares[:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1]) and set(shares[6:]) == {1.0}
    short = trained(Watched(), 8, warm_up=500)[0]
    assert short.rates[:2] == [0, pytest.approx(0.1 * (0.01 + 0.99 * 0.9619 / 2 + 0.495) / 2, 0.1)]
    assert short.rates[2] > short.rates[3] > 0, "over a quarter of the steps at most"


def test_a_gradient_is_clipped_at_its_norm():
    free, clipped = trained(Stepped(), 2)[0], trained(Stepped(), 2, clip=0.5)[0]
    assert free.weights[0] > 0.1
    assert clipped.weights[0] == pytest.approx(0.1 * 0.5)


def test_the_average_of_the_weights_predicts_and_learning_goes_on_from_the_last():
    plain, (kept, history) = trained(Stepped(), 20, 4)[0], trained(Stepped(), 20, 4, average=0.9)
    assert kept.weights == plain.weights, "the average only looks on"
    average = 0.0
    for step, weight in enumerate(plain.weights, 1):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    assert kept.a.item() == pytest.approx(average, rel=1e-5) != plain.a.item()
    error = evaluate(kept, LINE, SPLITS.validation)["error"]
    assert history.curve[-1]["validation"]["error"] == pytest.approx(error)


def test_statistics_of_normalisation_are_averaged_too():
    last, kept = (trained(Pair(), 40, **lever)[0] for lever in ({}, {"average": 0.9}))
    assert not torch.equal(last.below[1].running_mean, kept.below[1].running_mean)
    assert not torch.equal(last.below[1].running_var, kept.below[1].running_var)
    assert torch.equal(last.fixed.weight, kept.fixed.weight), "what never learns stays"


def test_a_method_may_have_a_batch_of_its_own():
    assert trained(Drawing(), 2)[0].sizes == [32, 64]
    seen = []

    class Counting(Slope):
        def losses(self, batch):
            seen.append(len(batch["x"]))
            yield from super().losses(batch)

    trained(Counting(), 1)
    trained(Counting(), 1, batch=11)
    assert seen == [4, 11]


class Wide(Slope):
    """A product whose precision shows."""

    def build(self, facts):
        super().build(facts)
        self.layer, self.kinds = nn.Linear(1, 8), []

    def losses(self, batch):
        self.kinds.append((self.layer(batch["x"]).dtype, self.layer.weight.dtype))
        yield "network", (self.layer(batch["x"]).mean() - 1).square()
        self.kinds.append(torch.is_autocast_enabled("cpu"))
        yield "network", self.layer(batch["x"]).square().mean()

    def after_step(self, player):
        self.kinds.append(torch.is_autocast_enabled("cpu"))

    def predict(self, batch):
        return self.layer(batch["x"]).mean(1, keepdim=True)


def test_losses_are_counted_in_bfloat16_where_asked_and_weights_are_kept_whole(monkeypatch):
    monkeypatch.setattr(device, "has_half", lambda which: True)
    half, full = torch.bfloat16, torch.float32
    assert trained(Wide(), 1, mixed=True)[0].kinds == [(half, full), False, True, False]
    assert predict(trained(Wide(), 1, mixed=True)[0], SPLITS.test).dtype == full
    assert trained(Wide(), 1)[0].kinds == [(full, full), False, False, False]
    monkeypatch.setenv("COURSE_PRECISION", "float32")
    assert trained(Wide(), 1, mixed=True)[0].kinds[0] == (full, full)
    monkeypatch.setenv("COURSE_PRECISION", "double")
    with pytest.raises(CourseError, match=r"COURSE_PRECISION='double'.*float32"):
        trained(Wide(), 1, mixed=True)


def test_a_device_without_bfloat16_counts_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert device.precision(True, torch.device("cpu")) == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert device.precision(True, torch.device("cpu")) == "bfloat16"
    assert device.precision(True, torch.device("mps")) == "float32"
    assert device.precision(False, torch.device("cpu")) == "float32"


@pytest.mark.parametrize(("dims", "last"), [(2, True), (3, False)])
def test_convolutions_of_images_lie_with_their_channels_last(dims, last):
    class Convolution(Slope):
        def build(self, facts):
            super().build(facts)
            self.flat, self.deep = nn.Conv2d(2, 3, 3), nn.Conv3d(2, 3, 3)

    facts = Facts(dims=dims, channels=1)
    parts = (SPLITS.train, SPLITS.validation, SPLITS.test)
    cases, method = Splits(*(replace(part, facts=facts) for part in parts)), Convolution()
    fit(method, LINE, cases, profile="smoke", seed=0, plan=Plan(1, 4, 1), progress=False)
    assert method.flat.weight.is_contiguous(memory_format=torch.channels_last) == last


@pytest.mark.parametrize(("steps", "count"), [(700, 8), (13, 8), (4, 3), (3, 3), (1, 5), (280, 5)])
def test_validation_is_looked_at_evenly_and_never_twice_in_two_steps(steps, count):
    looks = [row["step"] for row in trained(Slope(), steps, count)[1].curve]
    assert looks[-1] == steps and len(looks) == max(1, min(count, steps // 2))
    assert all(b - a >= 2 for a, b in zip([-1, *looks], looks, strict=False))


def test_looking_changes_nothing_of_the_training():
    class Lucky(Slope):
        def predict(self, batch):
            return super().predict(batch) + 0.1 * torch.randn(())

    assert trained(Lucky(), 12, 1)[0].a.item() == trained(Lucky(), 12, 6)[0].a.item()
