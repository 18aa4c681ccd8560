"""V-Net: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.segmentation.vnet import Stage3D, VNet
from course_lib.parts.segmentation import losses
from tests.look import layers
from tests.segmentation.example import facts, noise


def test_v_net_stages_add_their_input_and_go_down_by_convolution():
    network = VNet().fresh(facts()).network
    assert not layers(network, nn.MaxPool3d, nn.AvgPool3d)
    assert all(layer.stride == (2, 2, 2) for layer in network.down)
    assert layers(network, nn.PReLU) and not layers(network, nn.ReLU)
    stage = Stage3D(6, 6, 2, 3).eval()
    with torch.no_grad():
        for layer in layers(stage, nn.Conv3d):
            layer.weight.zero_()
        x = noise(1, 6, 4, 4, 4)
        assert torch.allclose(stage(x), stage.activation(x), atol=1e-5)
    assert VNet(kernel=5).fresh(facts()).network.left[0].convolutions[0].kernel_size == (5, 5, 5)


def test_v_net_trains_on_dice_and_takes_odd_sides(piece):
    method = VNet().fresh(facts())
    ((player, loss),) = method.losses(piece)
    scores = method.scores(piece)
    assert player == "network"
    assert loss.item() == pytest.approx(losses.dice_loss(scores, piece["label"]).item(), 1e-4)
    with torch.no_grad():
        assert method.network(noise(1, 1, 5, 17, 30)).shape == (1, 6, 5, 17, 30)


def test_v_net_says_which_losses_and_kernels_it_knows():
    with pytest.raises(CourseError, match=r"'hinge'.*dice"):
        VNet(loss="hinge")
    with pytest.raises(CourseError, match="odd number such as 3 or 5, not 4"):
        VNet(kernel=4)
