"""Filtered back-projection."""

import pytest
import torch
from torch import nn

from course_lib.fit import fit
from course_lib.methods.reconstruction_ct.fbp import FBP
from course_lib.tasks.reconstruction_ct import few_views
from tests.reconstruction_ct.example import complete_scan


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


def test_fbp_of_a_complete_scan_is_the_phantom_and_unfiltered_is_not():
    scan, image, data = complete_scan()
    smooth = nn.functional.avg_pool2d(image, 5, 1, 2)
    assert (scan.fbp(scan(smooth)) - smooth).square().mean().sqrt() < 0.03
    plain = scan.adjoint(data)
    plain = plain * (image.sum() / plain.sum())
    assert (plain - image).square().mean() > 4 * (scan.fbp(data) - image).square().mean()


def test_networks_start_from_what_fbp_shows_with_its_window_chosen(cases):
    batch = cases.test.batch(slice(0, 2))
    fbp = FBP()
    fit(fbp, few_views.QUESTION, cases, profile="smoke", seed=0, progress=False)
    assert torch.allclose(fbp.predict(batch), batch["fbp"], atol=0.1)


def test_fbp_is_differentiable():
    scan, _, data = complete_scan(32, 20)
    data = data.clone().requires_grad_()
    scan.fbp(data).square().sum().backward()
    assert data.grad.abs().max() > 0
