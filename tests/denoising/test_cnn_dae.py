"""CNN-DAE: what makes it itself."""

import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.cnn_dae import CNNDAE
from tests.look import layers


def test_cnn_dae_squeezes_everything_through_a_pooled_bottleneck():
    method = CNNDAE().fresh(Facts())
    assert len(layers(method.encoder, nn.MaxPool2d)) == 2
    assert len(layers(method.decoder, nn.Upsample)) == 2
    assert not layers(method, nn.BatchNorm2d)
    sizes = []
    method.encoder.register_forward_hook(lambda m, i, o: sizes.append(o.shape[-1]))
    image = torch.randn(1, 1, 32, 32)
    method(image)
    assert sizes == [8]
    # No shortcut: with the bottleneck silenced, the output no longer depends on the input.
    method.encoder.register_forward_hook(lambda m, i, o: torch.zeros_like(o))
    assert torch.equal(method(image), method(image + 1))


def test_cnn_dae_starts_with_outputs_of_the_size_of_a_scan():
    torch.manual_seed(0)
    method = CNNDAE().fresh(Facts())
    with torch.no_grad():
        spread = method(torch.rand(2, 1, 64, 64)).std()
    assert 0.05 < spread < 2  # of 0.3; with PyTorch's own first weights it is 0.003
