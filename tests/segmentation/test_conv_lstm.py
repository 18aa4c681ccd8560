"""ConvLSTMs against torch's LSTM, and how far they see."""

import torch
from torch import nn

from course_lib.parts.segmentation.conv_lstm import BiConvLSTM, ConvLSTM
from tests.segmentation.example import noise


def test_conv_lstm_is_an_lstm_in_every_pixel():
    """With 1x1 filters it must equal torch's LSTM, pixel by pixel."""
    ours, theirs = ConvLSTM(3, 4, kernel=1), nn.LSTM(3, 4, batch_first=True)
    order = torch.tensor([0, 1, 3, 2])  # torch: i, f, g, o; ours: i, f, o, g
    with torch.no_grad():
        for mine, name in ((ours.of_input, "weight_ih_l0"), (ours.of_state, "weight_hh_l0")):
            weight = getattr(theirs, name).unflatten(0, (4, 4))[order].flatten(0, 1)
            mine.weight.copy_(weight[..., None, None])
        bias = (theirs.bias_ih_l0 + theirs.bias_hh_l0).unflatten(0, (4, 4))
        ours.of_input.bias.copy_(bias[order].flatten())
        x = noise(2, 3, 5, 2, 2)
        pixels = x.permute(0, 3, 4, 2, 1).reshape(8, 5, 3)
        wanted = theirs(pixels)[0].reshape(2, 2, 2, 5, 4).permute(0, 4, 3, 1, 2)
        assert torch.allclose(ours(x), wanted, atol=1e-5)
        wanted = theirs(pixels.flip(1))[0].flip(1).reshape(2, 2, 2, 5, 4).permute(0, 4, 3, 1, 2)
        assert torch.allclose(ours(x, reverse=True), wanted, atol=1e-5)


def test_context_runs_along_z_in_both_directions():
    layer, stack = BiConvLSTM(2, 3), noise(1, 2, 5, 8, 8).requires_grad_()
    states = layer(stack)
    up, down = states[:, :3, 2], states[:, 3:, 2]
    reach = [
        torch.autograd.grad(part.square().sum(), stack, retain_graph=True)[0]
        .abs()
        .sum((0, 1, 3, 4))
        for part in (up, down)
    ]
    assert (reach[0] > 0).tolist() == [True, True, True, False, False]
    assert (reach[1] > 0).tolist() == [False, False, True, True, True]
