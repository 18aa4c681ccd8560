"""FCN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.segmentation.fcn import FCN, FCNetwork, upsampling
from tests.look import layers
from tests.segmentation.example import facts, noise


def test_fcn_has_no_dense_layer_and_takes_any_size():
    network = FCNetwork(1, 4, 8)
    assert not layers(network, nn.Linear) and len(layers(network, nn.MaxPool2d)) == 5
    with torch.no_grad():
        for height, width in ((64, 64), (50, 71), (33, 32)):
            assert network(noise(1, 1, height, width)).shape == (1, 4, height, width)


def test_fcn_adds_class_scores_of_earlier_poolings():
    for stride, taps in ((32, 1), (16, 2), (8, 3)):
        network = FCNetwork(1, 4, stride).eval()
        assert [layer.out_channels for layer in network.score] == [4] * taps
        assert network.enlarge.stride == (stride, stride)
        assert all(up.in_channels == up.out_channels == 4 for up in network.doublings)
    with torch.no_grad():  # added, not concatenated: what pool 3 says adds the same to all
        network.score[2].bias.zero_()
        before = network(noise(1, 1, 64, 64))
        network.score[2].bias.add_(1.0)
        change = network(noise(1, 1, 64, 64)) - before
    assert torch.allclose(change[..., 8:-8, 8:-8], torch.ones(1), atol=1e-4)


def test_fcn_variants_share_their_encoder():
    shapes = [
        {
            name: value.shape
            for name, value in FCN(stride)
            .fresh(facts())
            .network.network.encoder.state_dict()
            .items()
        }
        for stride in (32, 16, 8)
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_fcn_starts_from_linear_interpolation():
    with torch.no_grad():
        fine = upsampling(2, 4)(torch.tensor([0.0, 4.0]).expand(1, 2, 2, 2))
    wanted = nn.functional.interpolate(
        torch.tensor([0.0, 4.0]).expand(1, 2, 2, 2), scale_factor=4, mode="bilinear"
    )
    assert torch.allclose(fine[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], atol=1e-5)


def test_fcn_skips_make_the_finest_detail_finer():
    """At the start, scores are linear between points that lie a stride apart, and no finer."""
    bends = []
    for stride in (32, 16, 8):
        network = FCNetwork(1, 2, stride).double().eval()
        with torch.no_grad():
            scores = network(noise(1, 1, 128, 128).double())[..., 32:96, 32:96]
        bent = scores.diff(n=2, dim=-1).abs().amax(dim=(0, 1, 2)) > 1e-10
        bends.append(int(bent.sum()))
    assert 0 < bends[0] < bends[1] < bends[2] < 64


def test_fcn_knows_three_strides():
    with pytest.raises(CourseError, match="32, 16, 8, not 4"):
        FCN(stride=4)
