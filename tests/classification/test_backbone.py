"""EfficientNet-Lite0 as a feature extractor."""

import torch

from course_lib import device
from course_lib.parts.classification import backbone
from course_lib.parts.efficientnet_lite import EfficientNetLite0
from course_lib.parts.intensity import unit_range


def test_grey_images_and_volumes_become_what_the_network_was_trained_on():
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures, slices = backbone.as_pictures(grey)
    side = backbone.SIDE
    assert pictures.shape == (2, 3, side, side) and slices == 1
    assert torch.equal(pictures[:, 0], pictures[:, 2])
    assert pictures.min() >= -127 / 128 and pictures.max() <= 1
    pictures, slices = backbone.as_pictures(torch.rand(2, 1, 20, 28, 28))
    assert pictures.shape == (16, 3, side, side) and slices == 8


def test_random_features_are_calibrated_so_that_they_do_not_fade(cases):
    with device.seeded(0):
        network = EfficientNetLite0().eval()
    unit = unit_range(cases.train["image"], cases.facts.window)[:8]
    faded = backbone.pooled(network, unit)["head"].std(0).mean()
    backbone.calibrate(network, unit)
    alive = backbone.pooled(network, unit)["head"].std(0).mean()
    assert alive > 3 * faded
