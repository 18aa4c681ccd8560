"""U-Net: what makes it itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.segmentation.unet import UNet, border_weights
from course_lib.methods.segmentation.vnet import VNet
from course_lib.parts.u_net import UNetwork
from tests.look import layers
from tests.segmentation.example import disc, facts, noise


def test_u_net_concatenates_features_and_has_two_convolutions_per_level():
    network = UNet().fresh(facts()).network.network
    widths = (12, 24, 48, 96)
    for block in (*network.down, *network.merge):
        assert len(layers(block, nn.Conv2d)) == 2
    assert [block[0].in_channels for block in network.merge] == [2 * w for w in widths[-2::-1]]
    cut = UNet(skips=False).fresh(facts()).network.network
    assert [block[0].in_channels for block in cut.merge] == list(widths[-2::-1])


def test_without_skips_nothing_passes_but_through_the_bottom():
    for skips in (True, False):
        network = UNetwork(1, 1, (4, 8), skips=skips).eval()
        with torch.no_grad():
            for parameter in network.down[1].parameters():
                parameter.zero_()
            one, other = (network(noise(1, 1, 16, 16, seed=k)) for k in (0, 1))
        assert torch.equal(one, other) != skips


def test_border_weights_are_high_in_narrow_gaps_only():
    label = torch.zeros(1, 1, 1, 32, 32, dtype=torch.uint8)
    label[..., 8:24, 4:14], label[..., 8:24, 16:26] = 1, 1
    weights = border_weights(label, 10.0, 3.0)[0, 0]
    assert weights[16, 14].item() == pytest.approx(1 + 10 * np.exp(-9 / 18), rel=1e-4)
    assert weights[16, 31] < 1.1 and weights[16, 8] == 1
    ((_, plain),), ((_, weighted),) = (
        list(UNet(border=b).fresh(facts()).losses(disc())) for b in (0.0, 10.0)
    )
    assert torch.isfinite(weighted) and plain > 0


def test_u_net_never_sees_a_neighbouring_slice_and_the_3d_one_does(cases):
    batch = cases.test.batch(slice(0, 1))
    changed = batch | {"image": batch["image"].clone()}
    changed["image"][:, :, 3] = 0
    for method, sees in ((UNet(), False), (UNet(dims=3, widths=(4, 8)), True), (VNet(), True)):
        with torch.no_grad():
            method.fresh(cases.facts).eval()
            one, other = (method.scores(b) for b in (batch, changed))
        assert torch.equal(one[:, :, 4], other[:, :, 4]) != sees


def test_u_net_says_which_losses_and_dimensions_it_knows():
    with pytest.raises(CourseError, match=r"'hinge'.*dice"):
        UNet(loss="hinge")
    with pytest.raises(CourseError, match="2 or 3 dimensions, not 4"):
        UNet(dims=4)
