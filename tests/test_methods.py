"""Properties of all methods of all tasks."""

import pytest
import torch

from course_lib import catalogue, device
from course_lib.fit import fit, step
from course_lib.methods.base import Method
from course_lib.tasks.base import Plan

LEARNING = [entry for entry in catalogue.METHODS if not entry.baseline]
ALL = list(catalogue.METHODS)


def name(entry):
    return f"{entry.task}-{entry.id}"


def asked(entry, splits):
    """The task and the cases of the first data set that the method answers."""
    task = catalogue.task(entry.task)
    if not entry.datasets:
        return task, splits(entry.task)
    return task.on(entry.datasets[0]), splits(entry.task, entry.datasets[0])


def training_batch(entry, splits, count=4, seed=0):
    task, cases = asked(entry, splits)
    generator = torch.Generator().manual_seed(seed)
    return task.sample(cases.train, "smoke", count, generator)


def made(entry, seed=0):
    with device.seeded(seed):
        return catalogue.build(entry.id)


def prepared(method):
    players = {key: list(values) for key, values in method.players().items()}
    return players, {key: method.optimiser(key, values) for key, values in players.items()}


@pytest.mark.parametrize("entry", ALL, ids=name)
def test_predicts_every_case_in_the_tasks_unit(entry, splits):
    task, cases = asked(entry, splits)
    cases = cases.test.subset([0, 1])
    method = made(entry)
    assert isinstance(method, Method) != entry.baseline
    method.prepare(asked(entry, splits)[1].train)
    with torch.no_grad():
        prediction = method.predict(cases.tensors)
    scores = task.score(prediction, cases.tensors)
    assert set(scores) == set(task.metrics)
    assert all(len(values) == 2 for values in scores.values())
    assert torch.isfinite(scores[task.headline]).all()


@pytest.mark.parametrize("entry", ALL, ids=name)
def test_prediction_leaves_its_input_alone(entry, splits):
    cases = asked(entry, splits)[1].test.subset([0])
    before = {key: value.clone() for key, value in cases.tensors.items()}
    method = made(entry)
    method.prepare(asked(entry, splits)[1].train)
    with torch.no_grad():
        method.predict(cases.tensors)
    assert all(torch.equal(before[key], value) for key, value in cases.tensors.items())


@pytest.mark.parametrize("entry", LEARNING, ids=name)
def test_every_player_and_weight_gets_a_gradient(entry, splits):
    method = made(entry).train()
    players, optimisers = prepared(method)
    stepped = set()
    for player, loss in method.losses(training_batch(entry, splits)):
        assert loss.ndim == 0 and torch.isfinite(loss)
        optimisers[player].zero_grad(set_to_none=True)
        loss.backward(inputs=players[player])
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in players[player])
        assert any(p.grad.abs().max() > 0 for p in players[player])
        stepped.add(player)
    assert stepped == set(players)


@pytest.mark.parametrize(
    "entry", [entry for entry in LEARNING if entry.kind != "adversarial"], ids=name
)
def test_a_few_steps_on_one_batch_lower_the_loss(entry, splits):
    method = made(entry).train()
    players, optimisers = prepared(method)
    batch = training_batch(entry, splits)
    losses: list[float] = []
    while len(losses) < 60 and (len(losses) < 12 or min(losses[-3:]) >= 0.8 * losses[0]):
        losses.append(sum(float(v) for _, v in step(method, batch, players, optimisers)))
    # Who starts near the identity has only noise to learn, and takes longer.
    assert min(losses[-3:]) < 0.9 * losses[0]


@pytest.mark.parametrize("entry", LEARNING, ids=name)
def test_training_is_repeatable(entry, splits):
    task, cases = asked(entry, splits)

    def trained(seed):
        method = made(entry, seed)
        plan = Plan(steps=2, batch=2, evaluations=1)
        fit(method, task, cases, profile="smoke", seed=seed, plan=plan, progress=False)
        return torch.cat([p.detach().flatten() for p in method.parameters() if p.requires_grad])

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


@pytest.mark.parametrize("entry", LEARNING, ids=name)
def test_training_never_sees_test_cases(entry, splits):
    """Weights after training do not change when the test cases are replaced by noise."""
    task, clean = asked(entry, splits)
    spoiled = clean.test.subset(range(len(clean.test)))
    for value in spoiled.tensors.values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    weights = []
    for test in (clean.test, spoiled):
        method = made(entry)
        parts = type(clean)(clean.train, clean.validation, test)
        fit(method, task, parts, profile="smoke", seed=0, plan=Plan(1, 2, 1), progress=False)
        weights.append(next(p.detach() for p in method.parameters() if p.requires_grad))
    assert torch.equal(*weights)
