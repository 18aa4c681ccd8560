"""ReCNN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.fit import evaluate, fit
from course_lib.methods.super_resolution.recnn_3d import ReCNN
from course_lib.tasks.base import Plan
from course_lib.tasks.super_resolution import large_voxels
from course_lib.tasks.super_resolution.blocks import MIXED_FACTORS
from tests.look import layers
from tests.super_resolution.example import IN_PLANE, batch_of, facts, seeded


@pytest.fixture
def cases(splits):
    return splits("super_resolution")


def test_recnn_adds_a_3d_residual_to_the_spline_interpolation():
    method = ReCNN().fresh(facts())
    convolutions = layers(method, nn.Conv3d)
    assert {c.kernel_size for c in convolutions} == {(3, 3, 3)} and not layers(method, nn.Conv2d)
    for parameter in convolutions[-1].parameters():
        nn.init.zeros_(parameter)
    batch = batch_of(IN_PLANE)
    torch.testing.assert_close(method.predict(batch), batch["interpolated"], atol=0.01, rtol=1e-5)


def test_recnn_one_set_of_weights_serves_every_factor_also_an_unseen_one(cases):
    assert len(MIXED_FACTORS) >= 3
    unseen = set(large_voxels.FACTORS) - set(MIXED_FACTORS)
    assert unseen
    method, question = ReCNN(), large_voxels.QUESTION
    fit(method, question, cases, profile="smoke", seed=0, plan=Plan(2, 2, 1), progress=False)
    for factor in large_voxels.FACTORS:
        test = large_voxels.make(f"chest_ct/bicubic_x{factor}", "smoke", 0).test
        method.facts = test.facts
        assert evaluate(method, question, test)["psnr"] > 20


def test_recnn_takes_a_second_contrast():
    method, batch = ReCNN(reference=True).fresh(facts()), batch_of(IN_PLANE)
    with pytest.raises(CourseError, match="second contrast"):
        method.predict(batch)
    batch["reference"] = torch.zeros_like(batch["high_resolution"])
    without = method.predict(batch)
    batch["reference"] = batch["reference"] + 500
    assert not torch.equal(method.predict(batch), without)


def test_recnn_has_the_plain_3d_srcnn_to_compare_with():
    method = ReCNN(layers=3, residual=False).fresh(facts())
    assert len(layers(method, nn.Conv3d)) == 3
    for parameter in layers(method, nn.Conv3d)[-1].parameters():
        nn.init.zeros_(parameter)
    assert not method(torch.rand(1, 1, 4, 6, 6)).any()


def test_recnn_is_trained_on_blocks_of_mixed_factors(cases):
    batch = large_voxels.sample(cases.train, "smoke", 24, seeded(1))
    method = ReCNN(layers=2).fresh(cases.facts)
    ((_, loss),) = method.losses(batch)
    assert torch.isfinite(loss)
    ((_, same),) = method.losses(batch | {"low_resolution": torch.zeros(1)})  # not looked at
    assert torch.equal(loss, same)
