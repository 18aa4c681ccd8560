"""DP-ResNet: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.methods.denoising.dp_resnet import DPResNet
from course_lib.parts.hounsfield import hounsfield
from course_lib.parts.reconstruction_ct.scanner import scanner
from tests.cases import smoke_splits
from tests.look import layers

STACKS = "chest_ct+lung_tumours/stacks"


def splits():
    """Stacks of slices."""
    return smoke_splits("denoising", STACKS)


def made(**options) -> DPResNet:
    """The method whose networks do something."""
    method = DPResNet(**options).fresh(splits().facts)
    torch.manual_seed(0)
    for network in (method.projection_net, method.image_net):
        nn.init.normal_(network[-1].weight, std=0.5)
    return method


def test_both_networks_are_3d_and_start_as_the_identity():
    method = DPResNet().fresh(splits().facts)
    for network in (method.projection_net, method.image_net):
        assert [c.kernel_size for c in layers(network, nn.Conv3d)] == [(3, 3, 3)] * 5
    test = splits().test.subset([0])
    middle = test["sinograms"][:, :, 5]
    scan = scanner(splits().facts)
    with torch.no_grad():
        plain = hounsfield(scan.fbp(scan.data(middle)))
        assert torch.allclose(method.predict(test.tensors), plain, atol=0.05)


def test_projections_are_cleaned_then_reconstructed_then_images_are_cleaned():
    method, test = made(), splits().test.subset([0])
    order = []
    method.projection_net.register_forward_hook(lambda *_: order.append("projections"))
    method.image_net.register_forward_hook(lambda _, given, __: order.append(given[0]))
    with torch.no_grad():
        method.predict(test.tensors)
        seen = method.reconstructed(test["sinograms"][:, :, 3:8])
    assert order[0] == "projections"
    assert torch.allclose(order[1][:, :1], seen, atol=1e-5)


def test_the_image_network_learns_from_what_the_projection_network_delivers():
    train = splits().train
    method = made()
    method.stage = "images"
    method.begin("images", train)
    raw = made(domains="images")
    raw.begin("images", train)
    assert method.delivered.shape == raw.delivered.shape == train["stack"].shape
    assert torch.allclose(hounsfield(raw.delivered), train["stack"], atol=0.05)
    assert not torch.allclose(method.delivered, raw.delivered, atol=1e-3)
    drawn = method.draw(train, None, 2)
    assert drawn["given"].shape == drawn["wanted"].shape == (2, 1, 5, 40, 40)


def test_the_back_projection_has_no_weights_and_each_stage_trains_one_network():
    method = DPResNet()
    assert [stage.learns for stage in method.stages] == [("projections",), ("images",)]
    method.fresh(splits().facts)
    own = sum(len(list(parameters)) for parameters in method.players().values())
    assert own == len(list(method.parameters()))


@pytest.mark.parametrize("domain", ["projections", "images"])
def test_one_domain_leaves_the_other_network_out(domain):
    method, test = made(domains=domain), splits().test.subset([0])
    left_out = method.image_net if domain == "projections" else method.projection_net
    left_out.register_forward_hook(lambda *_: pytest.fail("it was used"))
    with torch.no_grad():
        method.predict(test.tensors)
    assert list(method.players()) == [domain]


def test_an_unknown_domain_is_refused():
    with pytest.raises(CourseError, match="wavelets"):
        DPResNet(domains="wavelets")
