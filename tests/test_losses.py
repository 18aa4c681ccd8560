"""Adversarial and perceptual losses against closed forms, and the frozen feature network."""

import pytest
import torch
from torch import nn

from course_lib.parts.adversarial import (
    gradient_penalty,
    wasserstein_critic,
    wasserstein_generator,
)
from course_lib.parts.efficientnet_lite import EfficientNetLite0, SameConv
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.perceptual import PerceptualLoss
from course_lib.parts.pretrained import efficientnet_lite0


def test_wasserstein_losses():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])
    assert wasserstein_critic(real, fake).item() == pytest.approx(-2.5)
    assert wasserstein_generator(fake).item() == pytest.approx(-1.5)


def test_gradient_penalty_of_a_linear_critic_is_its_slope():
    """C(x) = <w, x> has the gradient w everywhere: the penalty is (||w|| - 1)²."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, bias=False))
    real, fake = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4)
    penalty = gradient_penalty(critic, real, fake)
    slope = critic[1].weight.norm()
    assert penalty.item() == pytest.approx((slope.item() - 1) ** 2, rel=1e-4)
    penalty.backward()  # differentiable a second time
    assert critic[1].weight.grad.abs().max() > 0


def test_gradient_penalty_mixes_each_sample_with_one_number():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return x.flatten(1).sum(1)

    gradient_penalty(Spy(), torch.ones(6, 1, 3, 3), torch.zeros(6, 1, 3, 3))
    mixed = seen[0].flatten(1)
    assert torch.equal(mixed, mixed[:, :1].expand_as(mixed))
    assert mixed[:, 0].unique().numel() == 6


def test_hounsfield_units_round_trip():
    hu = torch.tensor([-1000.0, 0.0, 40.0, 1000.0])
    assert relative_attenuation(hu).tolist() == pytest.approx([0, 1, 1.04, 2])
    assert torch.allclose(hounsfield(relative_attenuation(hu)), hu, atol=1e-3)


def test_same_convolution_pads_as_tensorflow_does():
    layer = SameConv(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    output = layer(torch.ones(1, 1, 4, 4))  # one row and column of padding, right and below
    assert output[0, 0].tolist() == [[9, 6], [6, 4]]
    assert layer(torch.ones(1, 1, 5, 5)).shape[-1] == 3


def test_feature_network_has_the_published_size_and_weights_that_fit():
    network = efficientnet_lite0()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(4.65e6, rel=0.01)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    maps = network.maps(EfficientNetLite0.normalise(torch.rand(1, 1, 64, 64)))
    assert [tuple(m.shape[1:]) for m in maps[:4]] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (80, 4, 4),
    ]


def test_pretrained_weights_know_a_picture():
    """scikit-image's cat is a tabby, tiger or Egyptian cat to ImageNet (classes 281, 282, 285)."""
    from skimage import data, transform

    cat = transform.resize(data.chelsea(), (224, 224), anti_aliasing=True)
    image = torch.from_numpy(cat).float().permute(2, 0, 1)[None]
    scores = efficientnet_lite0()(EfficientNetLite0.normalise(image))
    assert scores.argmax().item() in (281, 282, 285)


def test_perceptual_loss_grows_with_blur_and_is_zero_at_the_truth():
    loss = PerceptualLoss(efficientnet_lite0())
    truth = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    slightly = nn.functional.avg_pool2d(truth, 3, 1, 1)
    badly = nn.functional.avg_pool2d(truth, 9, 1, 4)
    assert loss(truth, truth).item() == 0
    assert loss(truth, truth) < loss(slightly, truth) < loss(badly, truth)
    wanted = slightly.clone().requires_grad_(True)
    loss(wanted, truth).backward()
    assert wanted.grad.abs().max() > 0


def test_perceptual_loss_weighs_every_batch_alike():
    """The spread of the first targets is kept: flat targets do not weigh many times more."""
    draw = torch.Generator().manual_seed(0)
    first, flat = torch.rand(2, 1, 64, 64, generator=draw), torch.full((2, 1, 64, 64), 0.5)
    spoilt = flat + 0.01 * torch.randn(flat.shape, generator=draw)
    loss, other = PerceptualLoss(efficientnet_lite0()), PerceptualLoss(efficientnet_lite0())
    loss(first, first)
    assert loss(spoilt, flat).item() < 0.2 * other(spoilt, flat).item()
