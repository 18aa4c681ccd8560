"""Channels that become pixels."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.parts.super_resolution import shuffle
from course_lib.physics.resolution import enlarge
from tests.super_resolution.example import facts, seeded


def test_shuffle_is_pixel_shuffle_in_2d_and_fills_blocks_in_3d():
    features = torch.randn(2, 18, 4, 5, generator=seeded())
    assert torch.equal(shuffle.shuffle(features, (3, 3)), nn.PixelShuffle(3)(features))
    volume = torch.arange(12.0).view(1, 12, 1, 1, 1)
    fine = shuffle.shuffle(volume, (2, 3, 2))
    assert torch.equal(fine.flatten(), torch.arange(12.0)) and fine.shape == (1, 1, 2, 3, 2)


@pytest.mark.parametrize("method", ["espcn", "csn"])
@pytest.mark.parametrize("scale", [(1, 3, 3), (1, 2, 4)])
def test_networks_that_shuffle_start_as_linear_interpolation(method, scale):
    network = catalogue.build(method).fresh(facts(scale))
    if method == "csn":
        nn.init.dirac_(network.last.weight)  # silence the other maps
    else:
        with torch.no_grad():
            network.last.weight[:, 1:] = 0
            network.last.bias[:] = 0
    low = torch.rand(1, 1, 8, 8, generator=seeded()) * 1.5
    expected = enlarge(low, scale[1:], "linear")
    inside = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(network(low)[inside], expected[inside], atol=0.03, rtol=0)
