"""Number ranges, the generator and the patch discriminator of the adversarial translators."""

import pytest
import torch
from torch import nn

from course_lib.parts.translation import translators
from tests.look import layers


def test_ranges_there_and_back():
    image = torch.linspace(-1000, 1500, 32).view(2, 1, 4, 4)
    limits = (-1000.0, 1500.0)
    unit = translators.to_unit(image, limits)
    assert unit.min() == -1 and unit.max() == 1
    assert torch.allclose(translators.from_unit(unit, limits), image, atol=1e-3)


@pytest.mark.parametrize(("depth", "pixels"), [(2, 34), (3, 70)])
def test_a_score_of_the_discriminator_sees_one_patch(depth, pixels):
    network = translators.patch_discriminator(1, 4, depth)
    for layer in layers(network, nn.InstanceNorm2d):  # it looks at the whole image
        layer.forward = lambda x: x
    image = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    scores = network(image)
    assert scores.shape[1] == 1 and scores.shape[-1] > 10
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero()[:, 0]
    assert int(rows[-1] - rows[0]) + 1 == pixels


def test_the_generator_mirrors_its_border_and_normalises_instances():
    network = translators.resnet_generator(4, 2)
    assert len(layers(network, nn.ReflectionPad2d)) == 2 + 2 * 2
    assert layers(network, nn.InstanceNorm2d) and not layers(network, nn.BatchNorm2d)
    assert network(torch.zeros(1, 1, 24, 20)).shape == (1, 1, 24, 20)
    weights = torch.cat([c.weight.detach().flatten() for c in layers(network, nn.Conv2d)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)
