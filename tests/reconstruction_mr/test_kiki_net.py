"""KIKI-net: what makes it itself."""

import pytest
import torch

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.learning import entered
from course_lib.methods.reconstruction_mr.kiki_net import KIKINet, emphasis
from course_lib.parts.reconstruction_mr.complex_channels import to_channels, to_complex
from course_lib.physics import mr
from course_lib.tasks.base import Plan
from course_lib.tasks.reconstruction_mr import few_samples
from tests.reconstruction_mr.draws import batch_of


@pytest.fixture
def cases(splits):
    return splits("reconstruction_mr")


def small(order="KIKI"):
    return KIKINet(order, layers=3, width=4).fresh(Facts())


def test_kiki_has_four_networks_in_turn_and_data_between(cases):
    batch, method = cases.test.batch(slice(0, 1)), small()
    assert [stage.name for stage in method.stages] == ["K0", "I1", "K2", "I3"]
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights)) == 4 * 6
    seen = []
    for network in method.networks.values():
        network.register_forward_hook(lambda m, given, out: seen.append(given[0]))
    with torch.no_grad():
        output = method.eval().predict(batch)
    weight = emphasis(batch["kspace"].shape[-2:])
    scale = (weight * batch["kspace"]).abs().square().mean().sqrt()
    third = to_complex(seen[2]) / weight * scale  # what the second K-network sees
    assert torch.allclose(batch["mask"] * third, batch["kspace"], atol=1e-3)
    assert torch.allclose(batch["mask"] * mr.fft2c(output), batch["kspace"], atol=1e-3)


def test_kiki_trains_one_network_at_a_time(cases):
    batch, method = batch_of(cases), small()
    for number, stage in enumerate(method.stages):
        with entered(method, stage, cases.train) as turn:
            turn.train()
            assert list(turn.players) == [stage.name]
            own = method.networks[stage.name].parameters()
            assert [id(p) for p in turn.players[stage.name]] == [id(p) for p in own]
            method.zero_grad()
            ((player, loss),) = method.losses(batch)
            loss.backward()
            nets = method.networks.values()
            moved = [any(p.grad is not None for p in net.parameters()) for net in nets]
            assert player == stage.name and moved == [k == number for k in range(4)]


def test_kiki_keeps_earlier_networks_as_they_were(cases):
    after = {}
    for share in (1, 2):  # the first network alone, then also the second
        method = KIKINet("KI", layers=3, width=4)
        method.stages = method.stages[:share]
        plan = Plan(steps=2 * share, batch=2, evaluations=1)
        fit(
            method, few_samples.QUESTION, cases,
            profile="smoke", seed=0, plan=plan, progress=False,
        )  # fmt: skip
        after[share] = [p.detach().clone() for p in method.networks["K0"].parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after[1], after[2], strict=True))


@pytest.mark.parametrize(("order", "error"), [("I", 0.5**2 / 2), ("K", 0.0)])
def test_kiki_compares_each_network_in_its_own_domain(cases, order, error):
    batch, method = batch_of(cases), small(order)
    answers = {"I": batch["target"] + 0.5, "K": mr.fft2c(batch["target"])}
    method.answer = lambda name, estimate, kspace: answers[name[0]]
    ((_, loss),) = method.losses(batch)
    assert float(loss) == pytest.approx(error, abs=1e-6)  # of two channels, one is off


def test_kiki_sees_k_space_of_any_brightness_alike(cases):
    batch = cases.test.batch(slice(0, 1))
    seen = []
    method = small().eval()
    method.networks["K0"].register_forward_hook(lambda m, given, out: seen.append(given[0]))
    with torch.no_grad():
        for factor in (1.0, 50.0):
            method(factor * batch["kspace"], batch["mask"])
    assert torch.allclose(seen[0], seen[1], rtol=1e-3, atol=1e-4)
    plain = batch["kspace"].abs().max() / batch["kspace"].abs().square().mean().sqrt()
    weighted = to_complex(seen[0])
    assert weighted.abs().max() / weighted.abs().square().mean().sqrt() < plain / 2
    assert torch.equal(to_complex(to_channels(weighted)), weighted)


@pytest.mark.parametrize("order", ["KX", "", "kiki", "K I", 3, None, ["K", "I"]])
def test_kiki_refuses_networks_that_do_not_exist(order):
    with pytest.raises(CourseError, match="KIKI") as refused:
        KIKINet(order)
    assert repr(order) in str(refused.value)
