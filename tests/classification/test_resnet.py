"""The small residual network against its definition and MONAI's."""

import pytest
import torch
from torch import nn

from course_lib.parts.resnet import BasicBlock, ResNet
from tests.look import layers


def silenced(block):
    for parameter in block.residual.parameters():
        nn.init.zeros_(parameter)
    return block.eval()


def test_a_block_without_its_residual_is_the_identity_and_the_plain_twin_is_not():
    x = torch.rand(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(silenced(BasicBlock(4, 4))(x), x)
    assert (silenced(BasicBlock(4, 4, shortcut=False))(x) == 0).all()


def test_shortcuts_are_projections_exactly_where_the_shape_changes():
    kinds = [type(stage.shortcut) for stage in ResNet(2).stages]
    assert kinds == [nn.Identity, nn.Sequential, nn.Sequential, nn.Sequential]
    assert all(stage.shortcut is None for stage in ResNet(2, shortcuts=False).stages)


def test_the_residual_network_has_monais_layers():
    from monai.networks.nets import ResNet as Monai

    theirs = Monai("basic", [1, 1, 1, 1], [16, 32, 64, 128], 2, 1, num_classes=2, shortcut_type="B")
    count = [sum(p.numel() for p in net.parameters()) for net in (ResNet(2), theirs)]
    assert abs(count[0] - count[1]) <= 32 * 16 and 300_000 < count[0] < 312_000
    shapes = [{tuple(p.shape) for p in net.parameters()} for net in (ResNet(2), theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("dims", [2, 3])
def test_global_average_pooling_takes_images_of_any_size(dims):
    network = ResNet(3, 2, dims).eval()
    for side in (16, 24):
        x = torch.rand(1, 2, *[side] * dims)
        assert network(x).shape == (1, 3)
        assert torch.allclose(network.features(x), network.maps(x)[-1].flatten(2).mean(2))
    assert len(layers(network, nn.Linear)) == 1
