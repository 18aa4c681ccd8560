"""Registration of two contrasts."""

import pytest

from course_lib.physics import fields


@pytest.fixture
def contrasts(splits):
    return splits("registration", "brain_t1_t2/known_fields")


def test_two_contrasts_share_the_fixed_anatomy(contrasts):
    batch = contrasts.train.tensors
    truth = fields.warp(batch["moving"], batch["displacement"])
    same = (truth - batch["aligned"]).abs().mean()
    assert same < 0.5 * (batch["moving"] - batch["aligned"]).abs().mean()
