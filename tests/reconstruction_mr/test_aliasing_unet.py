"""Aliasing U-Net: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.methods.reconstruction_mr.aliasing_unet import AliasingUNet
from tests.look import layers
from tests.reconstruction_mr.draws import batch_of


def test_aliasing_unet_learns_the_artefact_and_its_twin_the_picture(splits):
    batch = batch_of(splits("reconstruction_mr"))
    given, truth = batch["zero_filled"].abs(), batch["target"].abs()
    for target, wanted in (("artefact", given - truth), ("image", truth)):
        method = AliasingUNet(target=target).fresh(Facts())
        method.forward = lambda x, wanted=wanted: wanted
        ((_, loss),) = method.losses(batch)
        assert float(loss) == 0
        assert torch.allclose(method.predict(batch).abs(), truth, atol=1e-5)
    with pytest.raises(CourseError, match="'artefact' or 'image', not 'phase'"):
        AliasingUNet(target="phase")


def test_aliasing_unet_has_scales_and_shortcuts_and_its_opponent_has_not():
    paper, single = AliasingUNet().fresh(Facts()), AliasingUNet(scales=1).fresh(Facts())
    assert len(layers(paper, nn.MaxPool2d)) == 4 and not layers(single, nn.MaxPool2d)
    wide = [layer.in_channels for layer in layers(paper, nn.Conv2d)]
    assert 2 * 16 in wide, "the finest shortcut is concatenated at full resolution"
    with pytest.raises(CourseError, match="scales"):
        AliasingUNet(scales=3)

    def reach(method):  # how many columns feel one pixel
        picture = torch.zeros(1, 1, 64, 64)
        other = picture.clone()
        other[..., 32, 32] = 1
        method.eval()
        with torch.no_grad():
            return int(((method(picture) - method(other)).abs() > 1e-9).any(2).sum())

    assert reach(single) <= 17 < reach(paper)
