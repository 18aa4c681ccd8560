"""WGAN, WGAN-GP, LSGAN: one denoiser, three games."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.lsgan import LSGAN
from course_lib.methods.denoising.ma_lsgan import MaLSGAN
from course_lib.methods.denoising.wgan import WGAN
from course_lib.methods.denoising.wgan_gp import WGANGP
from tests.look import layers

GAMES = (WGAN, WGANGP, LSGAN)


def batch() -> dict[str, torch.Tensor]:
    """A few patches of either dose."""
    return {k: torch.randn(3, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}


def playing(kind, **options):
    """A method whose critic plays."""
    method = kind(**options).fresh(Facts())
    assert method.playing
    return method


@pytest.mark.parametrize("kind", GAMES)
def test_all_three_share_generator_critic_and_a_linear_end(kind):
    torch.manual_seed(0)
    method = playing(kind)
    torch.manual_seed(0)
    other = WGAN().fresh(Facts())
    weights = zip(method.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert isinstance(method.critic[-1], nn.Linear)
    assert not layers(method.critic, nn.Sigmoid)
    assert not layers(method.critic, nn.BatchNorm2d)


@pytest.mark.parametrize(("kind", "turns"), [(WGAN, 5), (WGANGP, 5), (LSGAN, 1)])
def test_the_critic_has_several_steps_for_each_of_the_generator_but_in_lsgan(kind, turns):
    method = playing(kind)
    assert [p for p, _ in method.losses(batch())] == ["critic"] * turns + ["generator"]
    method.stage = "pixels"
    assert [p for p, _ in method.losses(batch())] == ["generator"]


def test_wgan_clamps_every_weight_of_the_critic_and_none_of_the_generator():
    method = playing(WGAN)
    assert max(float(p.abs().max()) for p in method.critic.parameters()) > 0.01
    before = [p.clone() for p in method.generator.parameters()]
    method.after_step("generator")
    assert max(float(p.abs().max()) for p in method.critic.parameters()) > 0.01
    method.after_step("critic")
    assert max(float(p.abs().max()) for p in method.critic.parameters()) <= 0.01
    assert all(
        torch.equal(a, b) for a, b in zip(before, method.generator.parameters(), strict=True)
    )
    optimiser = method.optimiser("critic", list(method.critic.parameters()))
    assert isinstance(optimiser, torch.optim.RMSprop)
    assert optimiser.defaults["momentum"] == 0


@pytest.mark.parametrize("kind", [WGANGP, LSGAN, MaLSGAN])
def test_the_others_clamp_nothing(kind):
    method = playing(kind)
    before = [p.clone() for p in method.critic.parameters()]
    method.after_step("critic")
    assert all(torch.equal(a, b) for a, b in zip(before, method.critic.parameters(), strict=True))


def test_wgan_gp_penalises_slopes_on_lines_between_real_and_made():
    method = playing(WGANGP)
    method.critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1, bias=False))
    nn.init.constant_(method.critic[-1].weight, 0.5)  # its slope is 0.5 · 8 = 4 everywhere
    real, fake = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8)
    distance = method.critic(fake).mean() - method.critic(real).mean()
    assert float(method.critic_loss(real, fake) - distance) == pytest.approx(10 * 9, rel=1e-4)


def test_wgan_gp_can_be_differentiated_again():
    method = playing(WGANGP)
    real, fake = torch.randn(2, 1, 32, 32), torch.randn(2, 1, 32, 32)
    method.critic_loss(real, fake).backward()
    assert all(p.grad is not None for n, p in method.critic.named_parameters() if "weight" in n)


@pytest.mark.parametrize("kind", [LSGAN, MaLSGAN])
def test_least_squares_have_the_targets_one_and_nought_and_one(kind):
    method = playing(kind)
    method.critic = nn.Flatten()  # the picture is its own score
    real, fake = torch.full((2, 1, 1, 1), 0.75), torch.full((2, 1, 1, 1), 0.5)
    assert float(method.critic_loss(real, fake)) == pytest.approx((0.25**2 + 0.5**2) / 2)
    assert float(method.deceived(fake)) == pytest.approx(0.5**2 / 2)


def test_ma_lsgan_answers_with_the_scan_minus_what_its_network_draws():
    method = playing(MaLSGAN).eval()
    given = batch()
    drawn = method.noise(1 + given["low_dose"] / 1000)
    with torch.no_grad():
        assert torch.allclose(method.predict(given), given["low_dose"] - 1000 * drawn, atol=1e-2)
    for weight in method.noise.parameters():
        nn.init.zeros_(weight)
    with torch.no_grad():
        assert torch.allclose(method.predict(given), given["low_dose"], atol=1e-3)


def test_ma_lsgan_has_three_terms():
    method = playing(MaLSGAN)
    found = list(method.losses(batch()))
    assert [player for player, _ in found] == ["critic", "generator"]
    assert set(method.told) == {"adversarial", "structure", "value"}
    total = sum(getattr(method, name) * value for name, value in method.told.items())
    assert float(found[-1][1]) == pytest.approx(float(total), rel=1e-5)
