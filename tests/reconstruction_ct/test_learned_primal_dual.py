"""Learned primal-dual: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.reconstruction_ct import learned_primal_dual as lpd
from course_lib.parts.scanner import scanner
from tests.look import layers


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


def test_learned_primal_dual_has_networks_of_its_own_in_both_spaces():
    method = lpd.LearnedPrimalDual(iterations=4, width=8).fresh(Facts())
    assert len(method.dual) == len(method.primal) == 4
    weights = [id(p) for p in method.parameters()]
    assert len(set(weights)) == len(weights) == 2 * 4 * 8  # three convolutions, two PReLUs each
    for block in (*method.dual, *method.primal):
        assert len(layers(block, nn.Conv2d)) == 3 and len(layers(block, nn.PReLU)) == 2
        assert block[-1].out_channels == lpd.MEMORY == 5


def test_learned_primal_dual_starts_from_zero_and_never_sees_fbp(cases):
    batch = cases.test.batch(slice(0, 1))
    seen = []
    method = lpd.LearnedPrimalDual(iterations=2, width=8).fresh(cases.facts)
    method.dual[0].register_forward_hook(lambda m, i, o: seen.append(i[0]))
    with torch.no_grad():
        first = method.predict(batch)
        other = method.predict(batch | {"fbp": torch.randn_like(batch["fbp"])})
    assert torch.equal(first, other)
    assert not seen[0][:, :6].any() and seen[0][:, 6].any()  # states and their projection, then y


def test_learned_primal_dual_gradients_pass_the_projector_and_its_adjoint(cases):
    batch = cases.test.batch(slice(0, 1))
    method = lpd.LearnedPrimalDual(iterations=2, width=8).fresh(cases.facts)
    scan = scanner(cases.facts)
    data = scan.data(batch["sinogram"]).requires_grad_()
    method(scan, data)[0, 0, 32, 32].backward()
    assert (data.grad.abs().amax(dim=(0, 1, 3)) > 0).all()  # one pixel hears from every view


def test_learned_primal_dual_starts_as_filtered_gradient_descent(cases):
    batch = cases.test.batch(slice(0, 1))
    scan = scanner(cases.facts)
    data = scan.data(batch["sinogram"])
    method = lpd.LearnedPrimalDual(iterations=3, width=8).fresh(cases.facts)
    kernel = lpd.GAIN * torch.tensor([[[[-0.12, 0.25, -0.12]]]])
    image = torch.zeros_like(batch["target"])
    for _ in range(3):
        filtered = nn.functional.conv2d(data - scan(image), kernel, padding=(0, 1))
        image = image + scan.adjoint(filtered)
    with torch.no_grad():
        assert torch.allclose(method(scan, data), image, atol=1e-3)


def test_learned_primal_dual_clips_its_gradients_and_has_the_papers_momentum():
    method = lpd.LearnedPrimalDual(iterations=1, width=4).fresh(Facts())
    optimiser = method.optimiser("network", list(method.parameters()))
    assert method.clip == 1 and optimiser.defaults["betas"] == (0.9, 0.99)
