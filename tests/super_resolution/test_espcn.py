"""ESPCN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.methods.super_resolution.espcn import ESPCN
from tests.look import layers
from tests.super_resolution.example import IN_PLANE, THROUGH, batch_of, facts


def test_espcn_computes_on_the_coarse_grid_and_ends_with_the_shuffle():
    method, seen = ESPCN().fresh(facts()), []
    for layer in layers(method, nn.Conv2d):
        layer.register_forward_hook(lambda m, i, o: seen.append((i[0].shape[-1], o)))
    fine = method(torch.rand(2, 1, 4, 4))
    assert [side for side, _ in seen] == [4, 4, 4]
    assert torch.equal(fine, nn.PixelShuffle(3)(seen[-1][1]))


def test_espcn_in_3d_shuffles_r_cubed_channels():
    method = ESPCN(dimensions=3).fresh(facts((2, 2, 2)))
    assert method.last.out_channels == 8
    batch = batch_of((2, 2, 2))
    assert method.predict(batch).shape == batch["high_resolution"].shape
    ((player, loss),) = method.losses(batch)
    assert player == "network" and torch.isfinite(loss)


def test_espcn_has_one_channel_for_each_place_inside_an_enlarged_pixel():
    for scale, places in ((IN_PLANE, 9), (THROUGH, 3), ((1, 2, 4), 8)):
        method = ESPCN().fresh(facts(scale))
        assert method.last.out_channels == places
        batch = batch_of(scale)
        assert method.predict(batch).shape == batch["high_resolution"].shape


def test_espcn_works_in_planes_or_volumes_only():
    with pytest.raises(CourseError, match="2 or 3, not 4"):
        catalogue.build("espcn", dimensions=4)
