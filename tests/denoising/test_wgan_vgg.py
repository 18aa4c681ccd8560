"""WGAN-VGG: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.wgan_vgg import WGANVGG, critic, generator
from tests.look import layers


def test_wgan_vgg_networks():
    network = generator()
    convolutions = layers(network, nn.Conv2d)
    assert len(convolutions) == 8
    assert [c.out_channels for c in convolutions] == [32] * 7 + [1]
    judge = critic()
    assert [c.stride[0] for c in layers(judge, nn.Conv2d)] == [1, 2, 1, 2, 1, 2]
    forbidden = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.Sigmoid)
    assert not any(layers(judge, kind) for kind in forbidden)
    assert judge(torch.randn(3, 1, 32, 32)).shape == (3, 1)
    assert isinstance(judge[-1], nn.Linear)


def test_wgan_vgg_plays_four_critic_steps_then_the_generator():
    batch = {k: torch.randn(2, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}
    method = WGANVGG().fresh(Facts())
    assert [player for player, _ in method.losses(batch)] == ["critic"] * 4 + ["generator"]
    assert method.pixel == 0
    features = list(method.features.parameters())
    assert features and not any(p.requires_grad for p in features)
    method.train()
    assert not method.features.network.training


def test_wgan_vgg_critic_loss_contains_the_gradient_penalty():
    method = WGANVGG(perceptual=0).fresh(Facts())
    real, fake = torch.randn(4, 1, 16, 16), torch.randn(4, 1, 16, 16)
    with_penalty = method._critic_loss(real, fake).item()
    method.penalty = 0.0
    without = method._critic_loss(real, fake)
    expected = method.critic(fake).mean() - method.critic(real).mean()
    assert without.item() == pytest.approx(expected.item(), abs=1e-6)
    assert with_penalty > without.item() + 0.1


@pytest.mark.parametrize(
    ("options", "players"),
    [
        ({"adversarial": 0, "perceptual": 0, "pixel": 1}, ["generator"]),
        ({"adversarial": 0}, ["generator"]),
        ({"perceptual": 0}, ["critic"] * 4 + ["generator"]),
        ({"perceptual": 0, "pixel": 1}, ["critic"] * 4 + ["generator"]),
    ],
)
def test_wgan_vgg_ablations(options, players):
    batch = {k: torch.randn(2, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}
    assert [player for player, _ in WGANVGG(**options).fresh(Facts()).losses(batch)] == players
