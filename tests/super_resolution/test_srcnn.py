"""SRCNN: what makes it itself."""

import torch
from torch import nn

from course_lib.methods.super_resolution.srcnn import SRCNN
from tests.look import layers
from tests.super_resolution.example import IN_PLANE, batch_of, facts


def test_srcnn_sharpens_an_interpolated_image_with_three_layers_and_no_shortcut():
    method, seen = SRCNN().fresh(facts()), []
    convolutions = layers(method, nn.Conv2d)
    assert [c.kernel_size[0] for c in convolutions] == [9, 1, 5]
    assert [c.out_channels for c in convolutions] == [64, 32, 1]
    convolutions[0].register_forward_hook(lambda m, i, o: seen.append(i[0].shape))
    method.predict(batch_of(IN_PLANE))
    assert seen == [(12, 1, 12, 12)]  # already on the fine grid
    for parameter in convolutions[-1].parameters():
        nn.init.zeros_(parameter)
    assert not method(torch.rand(1, 1, 12, 12)).any()  # nothing goes round the last layer
