"""FBPConvNet: what makes it itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.reconstruction_ct.fbp_conv_net import FBPConvNet
from tests.look import layers


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


def test_fbp_conv_net_adds_a_u_net_with_skips_to_fbp_and_never_sees_the_sinogram(cases):
    batch = cases.test.batch(slice(0, 1))
    method = FBPConvNet().fresh(Facts()).eval()
    assert len(layers(method.network, nn.MaxPool2d)) == 4
    assert layers(method.network, nn.BatchNorm2d) and not layers(method.network, nn.InstanceNorm2d)
    with torch.no_grad():
        first = method.predict(batch)
        other = method.predict(batch | {"sinogram": torch.zeros_like(batch["sinogram"])})
        assert torch.equal(first, other)
        for parameter in method.network.parameters():
            parameter.zero_()
        assert torch.allclose(method.predict(batch), batch["fbp"], atol=0.1)


def test_fbp_conv_net_looks_as_far_as_streaks_reach():
    method = FBPConvNet().fresh(Facts()).eval()
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    method.network(image)[0, 0, 32, 32].backward()
    rows = np.flatnonzero(image.grad[0, 0].abs().sum(1).numpy())
    assert rows.max() - rows.min() > 48
