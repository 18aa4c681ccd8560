"""The backbone: what it sees of an image."""

import torch

from course_lib.parts.detection.pyramid import STRIDES, Pyramid, normalised


def test_a_window_becomes_minus_one_to_one_and_no_more():
    image = torch.tensor([-1300.0, -1000.0, -300.0, 400.0, 900.0])
    assert normalised(image, (-1000.0, 400.0)).tolist() == [-1, -1, 0, 1, 1]
    assert normalised(torch.tensor([0.0, 0.25, 1.0]), (0.0, 1.0)).tolist() == [-1, -0.5, 1]


def test_maps_are_as_coarse_as_their_strides_and_the_fine_one_sees_what_the_deep_one_does():
    pyramid = Pyramid(2, (0.0, 1.0), width=8).eval()
    maps = pyramid(torch.rand(3, 2, 64, 32))
    assert [tuple(each.shape) for each in maps] == [(3, 8, 64 // s, 32 // s) for s in STRIDES]
    before = pyramid(torch.zeros(1, 2, 64, 64))[0]
    pyramid.deep.register_forward_hook(lambda module, given, made: made + 1)
    assert not torch.allclose(before, pyramid(torch.zeros(1, 2, 64, 64))[0])
