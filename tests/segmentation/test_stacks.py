"""Stacks of slices for networks."""

import torch

from course_lib.parts.segmentation.stacks import from_slices, standardise, to_slices
from course_lib.parts.u_net import padded
from tests.segmentation.example import noise


def test_standardise_maps_the_window_to_minus_one_and_one():
    image = torch.tensor([-500.0, 0.0, 500.0, 9e9]).reshape(1, 1, 1, 2, 2).repeat(2, 1, 1, 1, 1)
    window = torch.tensor([[-500.0, 500.0], [0.0, 500.0]])
    result = standardise({"image": image, "window": window}).flatten(1)
    assert result[0, :3].tolist() == [-1, 0, 1] and result[1, 1:3].tolist() == [-1, 1]
    assert result.max() == 3


def test_slices_come_back_and_padding_continues_the_edge():
    stack = noise(2, 3, 4, 5, 6)
    assert torch.equal(from_slices(to_slices(stack), 2), stack)
    assert torch.equal(to_slices(stack)[1], stack[0, :, 1])
    wide = padded(stack, (8, 8))
    assert wide.shape == (2, 3, 4, 8, 8) and torch.equal(wide[..., 7, :6], stack[..., 4, :])
