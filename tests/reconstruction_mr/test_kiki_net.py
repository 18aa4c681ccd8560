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


def small(order="KIKI", **options):
    return KIKINet(order, layers=3, width=4, **options).fresh(Facts())


def test_kiki_has_four_networks_in_turn_and_data_between(cases):
    batch, method = cases.test.batch(slice(0, 1)), small(trust=1e6)
    assert [stage.name for stage in method.stages] == ["K0", "I1", "K2", "I3"]
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights)) == 4 * 8
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


@pytest.mark.parametrize("order", ["I", "K"])
def test_kiki_squares_the_error_of_each_network_in_its_own_domain(cases, order):
    """A K-network's error counts alike at the centre and at the edge of k-space."""
    batch, method = batch_of(cases), small(order, fidelity=0.0)
    wanted = {"I": batch["target"], "K": mr.fft2c(batch["target"])}[order]
    losses = []
    for row in (0, 32):
        off = torch.zeros_like(wanted)
        off[:, :, row, 3] = 2j
        method.answer = lambda name, estimate, kspace, off=off: wanted + off
        ((_, loss),) = method.losses(batch)
        losses.append(float(loss))
    assert losses == pytest.approx([2 / 64**2] * 2, rel=1e-3)  # of two channels, one is off


def test_kiki_asks_pictures_to_fit_the_samples_too(cases):
    batch = batch_of(cases)
    losses = []
    for fidelity in (0.0, 1.0):
        method = small("I", fidelity=fidelity)
        method.answer = lambda name, estimate, kspace: batch["target"] + 0.5
        ((_, loss),) = method.losses(batch)
        losses.append(float(loss))
    misfit = batch["mask"] * (mr.fft2c(batch["target"] + 0.5) - batch["kspace"])
    assert losses[1] - losses[0] == pytest.approx(float(misfit.abs().square().mean() / 2), rel=1e-3)


def test_kiki_pulls_to_the_samples_as_far_as_it_trusts_them(cases):
    batch = cases.test.batch(slice(0, 1))
    seen, mask = batch["kspace"], batch["mask"].bool()
    outputs = []
    for trust in (0.0, 3.0):
        torch.manual_seed(0)
        with torch.no_grad():
            outputs.append(mr.fft2c(small("I", trust=trust).predict(batch)))
    alone, pulled = outputs
    assert torch.allclose(pulled[mask], (alone[mask] + 3 * seen[mask]) / 4, atol=1e-3)
    assert torch.allclose(pulled[~mask], alone[~mask], atol=1e-4)


def test_kiki_looks_at_real_and_imaginary_part_apart_at_first():
    first = small().networks["I1"][0]
    channels = torch.rand(1, 2, 8, 8)
    channels[:, 1] = 0
    with torch.no_grad():
        maps = first(channels) - first.bias[:, None, None]
    assert maps[:, :2].abs().max() > 0 and maps[:, 2:].abs().max() == 0


def test_kiki_k_networks_start_by_passing_k_space_on(cases):
    batch = cases.test.batch(slice(0, 1))
    method = KIKINet("K").fresh(Facts())
    for parameter in method.networks["K0"][-1:].parameters():
        parameter.data[:, [k for k in range(24) if k not in (0, 1, 12, 13)]] = 0
        break
    with torch.no_grad():
        assert torch.allclose(
            method(batch["kspace"], batch["mask"]), batch["zero_filled"], atol=1e-3
        )


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
