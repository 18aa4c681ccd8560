"""RED-CNN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.red_cnn import REDCNN
from tests.look import layers


def test_red_cnn_has_ten_unpadded_layers_and_no_pooling():
    method = REDCNN().fresh(Facts())
    down, up = layers(method, nn.Conv2d), layers(method, nn.ConvTranspose2d)
    assert len(down) == len(up) == 5
    for layer in (*down, *up):
        assert layer.kernel_size == (5, 5) and layer.stride == (1, 1) and layer.padding == (0, 0)
    assert not layers(method, nn.MaxPool2d) and not layers(method, nn.BatchNorm2d)


def test_red_cnn_shortcuts_are_three_and_rectified_after_the_addition():
    method = REDCNN(width=2).fresh(Facts())
    for layer in method.decoder:  # silence the decoder: only shortcuts reach the next layer
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    inputs = []
    for layer in method.decoder:
        layer.register_forward_hook(lambda m, i, o: inputs.append(i[0]))
    encoded = []
    for layer in method.encoder:
        layer.register_forward_hook(lambda m, i, o: encoded.append(o.relu()))
    image = torch.randn(1, 1, 24, 24)
    output = method(image)
    assert torch.equal(output, image.relu())  # input to output, rectified after the addition
    assert torch.equal(inputs[1], encoded[3])  # the fourth convolution to the first deconvolution
    assert torch.equal(inputs[3], encoded[1])  # the second to the third
    assert not inputs[2].any() and not inputs[4].any()  # and no others


def test_red_cnn_minimises_the_mean_squared_error_only():
    method, low, normal = (
        REDCNN(2).fresh(Facts()),
        torch.randn(2, 1, 24, 24),
        torch.randn(2, 1, 24, 24),
    )
    ((player, loss),) = method.losses({"low_dose": 1000 * low, "normal_dose": 1000 * normal})
    expected = (method(low + 1) - (normal + 1)).square().mean()
    assert player == "network" and loss.item() == pytest.approx(expected.item(), rel=1e-5)
