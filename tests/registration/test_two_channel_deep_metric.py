"""The deep metric: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.cases import Facts
from course_lib.methods.registration.two_channel_deep_metric import (
    PATCH,
    TwoChannelDeepMetric,
    patches_at,
)
from course_lib.parts.registration.fields import standardised
from course_lib.physics import fields


@pytest.fixture
def contrasts(splits):
    return splits("registration", "brain_t1_t2/known_fields")


def test_deep_metric_stacks_first_and_strides():
    network = TwoChannelDeepMetric().fresh(Facts(dims=2)).network
    kinds = [type(layer) for layer in network]
    assert network[0].in_channels == 2 and not any("Pool" in kind.__name__ for kind in kinds)
    assert network(torch.zeros(1, 2, PATCH, PATCH)).shape == (1, 1, 1, 1)


def test_deep_metric_loss_is_the_hinge_of_aligned_and_displaced(contrasts):
    method = TwoChannelDeepMetric().fresh(contrasts.facts)
    method.network = nn.Sequential(nn.Flatten(), nn.Linear(2 * PATCH**2, 1))
    nn.init.zeros_(method.network[1].weight)
    for bias, loss in ((0.0, 2.0), (3.0, 4.0), (-3.0, 4.0)):  # relu(1 - b) + relu(1 + b)
        nn.init.constant_(method.network[1].bias, bias)
        assert next(method.losses(contrasts.train.tensors))[1].item() == pytest.approx(loss)


def test_patches_are_cut_where_they_should():
    image = torch.arange(32 * 32.0).view(1, 1, 32, 32)
    patch = patches_at(image, torch.tensor([[[10.0, 20.0]]]))
    assert torch.allclose(patch[0], image[0, :, 2:19, 12:29], atol=1e-2)


def test_deep_metric_optimises_through_the_frozen_network(contrasts):
    """A 'network' that measures the squared difference must register by it."""

    class Difference(nn.Module):
        def forward(self, both):
            return -(both[:, :1] - both[:, 1:]).square()

    one = contrasts.test["aligned"][:1]
    truth = torch.zeros(1, 2, 32, 32)
    truth[:, 0] = 2.0
    method = TwoChannelDeepMetric(weight=0.01).fresh(contrasts.facts)
    weights = [p.clone() for p in method.parameters()]
    start = torch.eye(2, 3)[None]
    method.predict({"fixed": one, "moving": one, "start": start})
    assert all(torch.equal(a, b) for a, b in zip(weights, method.parameters(), strict=True))
    method.network = Difference()
    moved = fields.warp(one, -truth)
    with torch.no_grad():
        field = method.predict({"fixed": one, "moving": moved, "start": start})["forward"]
    head = standardised(one)[:, 0] > 0
    assert abs(float(field[:, 0][head].mean()) - 2.0) < 0.5


def test_deep_metric_is_evaluated_once_because_it_optimises(contrasts):
    from course_lib.fit import fit
    from course_lib.tasks.base import Plan

    method = TwoChannelDeepMetric()
    method.descent = 1
    plan = Plan(steps=3, batch=2, evaluations=3)
    question = catalogue.question("registration", "brain_t1_t2/known_fields")
    history = fit(method, question, contrasts, profile="smoke", seed=0, plan=plan)
    assert [row["step"] for row in history.curve] == [3]


def test_deep_metric_is_for_two_contrasts_only():
    entry = catalogue.entry("two_channel_deep_metric")
    fitting = [d for d in catalogue.datasets("registration") if catalogue.fits(entry, d)]
    assert fitting == ["brain_t1_t2/known_fields"]
