"""ICNet: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.methods.registration.icnet import ICNet
from course_lib.parts.registration import losses
from course_lib.parts.registration.fields import standardised


@pytest.fixture
def known(splits):
    return splits("registration", "brain_2d/known_fields")


def test_icnet_runs_one_network_both_ways(known):
    batch = known.train.batch(slice(0, 2))
    method = ICNet().fresh(known.facts)
    nn.init.normal_(method.network.field.weight, std=0.3)
    one, other = batch["moving"], batch["fixed"]
    u, v = method(one, other)
    assert torch.allclose(u, method.network(one, other), atol=1e-5)
    assert torch.allclose(v, method.network(other, one), atol=1e-5)
    assert u.abs().max() <= method.reach


def test_icnet_weighs_four_terms(known):
    batch = known.train.batch(slice(0, 2))
    method = ICNet().fresh(known.facts)
    nn.init.normal_(method.network.field.weight, std=0.3)
    terms = {name: value.item() for name, value in method.terms(batch).items()}
    assert list(terms) == ["similarity", "consistency", "folding", "smooth"]
    u, v = method(standardised(batch["moved"]), standardised(batch["fixed"]))
    assert terms["folding"] == pytest.approx((losses.anti_fold(u) + losses.anti_fold(v)).item())
    for name in terms:
        only = {other_name: float(other_name == name) for other_name in terms}
        alone = ICNet(**only).fresh(known.facts)
        alone.network = method.network
        assert next(alone.losses(batch))[1].item() == pytest.approx(terms[name], rel=1e-4)
