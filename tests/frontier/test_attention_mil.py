"""Attention MIL: weights that sum to one, and the control that listens to one patch."""

import pytest
import torch

from course_lib import device
from course_lib.errors import CourseError
from course_lib.methods.frontier.attention_mil import AttentionMIL
from tests.frontier.look import FACTS, images


def made(pooling="attention"):
    with device.seeded(0):
        return AttentionMIL(pooling).fresh(FACTS).eval()


def test_attention_weights_sum_to_one_and_the_bag_is_their_mean():
    method, image = made(), images(3)
    with torch.no_grad():
        features = method.instances(image)
        weights = method.attention(features)
        assert features.shape[:2] == weights.shape == (3, 49)
        assert torch.allclose(weights.sum(1), torch.ones(3), atol=1e-5)
        scores, _ = method(image)
        bag = (weights[..., None] * features).sum(1)
        assert torch.allclose(scores, method.head(bag), atol=1e-5)
        # The order of the patches does not matter to a bag.
        mixed = features[:, torch.randperm(49, generator=torch.Generator().manual_seed(0))]
        other = (method.attention(mixed)[..., None] * mixed).sum(1)
        assert torch.allclose(bag, other, atol=1e-5)


def test_max_pooling_is_the_control_and_listens_to_one_patch():
    method, image = made("max"), images(2)
    with torch.no_grad():
        scores, odds = method(image)
        patches = method.head(method.instances(image))
    best = odds.argmax(1)
    assert torch.allclose(scores, patches[torch.arange(2), best])
    with pytest.raises(CourseError, match="attention"):
        AttentionMIL("mean")


def test_max_pooling_learns_no_attention():
    learning = {
        name.partition(".")[0] for name, p in made("max").named_parameters() if p.requires_grad
    }
    assert learning == {"encoder", "head"}
    assert all(p.requires_grad for p in made().parameters())
