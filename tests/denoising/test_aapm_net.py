"""AAPM-Net and its directional wavelets: what makes them themselves."""

import pytest
import torch
from torch import nn

from course_lib.methods.denoising.aapm_net import AAPMNet
from course_lib.parts.denoising import directional
from tests.cases import smoke_splits
from tests.look import layers


@pytest.mark.parametrize("sides", [(64, 64), (48, 55), (33, 40)])
def test_nothing_is_lost_and_nothing_decimated(sides):
    image = torch.randn(2, 1, *sides)
    bands = directional.forward(image)
    assert bands.shape == (2, 15, *sides)
    assert torch.allclose(directional.inverse(bands), image, atol=1e-5)
    assert float(bands.square().sum()) == pytest.approx(float(image.square().sum()), rel=1e-4)


def test_a_wave_lies_in_the_bands_of_its_direction():
    line = torch.arange(64.0)
    for k, angle in enumerate(torch.linspace(0, torch.pi, 9)[:8]):
        long = 24 / max(abs(torch.cos(angle)), abs(torch.sin(angle)))  # rings are squares
        u, v = (long * torch.cos(angle)).round(), (long * torch.sin(angle)).round()
        wave = torch.cos(2 * torch.pi * (v * line[:, None] + u * line) / 64)
        energy = directional.forward(wave[None, None]).square().sum((0, 2, 3))
        assert int(energy.argmax()) == 7 + k  # the eight finest stand last
        assert energy[7 + k] > 0.7 * energy.sum()


def test_a_flat_image_is_all_low_pass():
    energy = directional.forward(torch.ones(1, 1, 32, 32)).square().sum((0, 2, 3))
    assert energy[0] == pytest.approx(32 * 32, rel=1e-5) and energy[1:].sum() < 1e-6


def made(**options) -> AAPMNet:
    """The method for small CT."""
    return AAPMNet(**options).fresh(smoke_splits("denoising").facts)


def test_modules_have_bypasses_and_their_states_stand_side_by_side():
    method = made(modules=3)
    assert len(method.modules_) == 3
    for module in method.modules_:
        assert len(layers(module, nn.Conv2d)) == 3
        for weight in module.parameters():
            nn.init.zeros_(weight)
        maps = torch.rand(1, 32, 8, 8)
        assert torch.equal(module.eval()(maps), maps)
    assert method.tail[0][0].in_channels == 4 * 32
    assert method.head[0][0].in_channels == method.tail[-1].out_channels == 15


def test_only_the_low_pass_is_learnt_as_a_correction():
    method = made().eval()
    for weight in method.tail[-1].parameters():
        nn.init.zeros_(weight)
    bands = torch.randn(1, 15, 16, 16)
    answer = method(bands)
    assert torch.equal(answer[:, 0], bands[:, 0]) and answer[:, 1:].abs().sum() == 0


def test_the_loss_is_that_of_the_bands():
    method = made().train()
    batch = {k: torch.randn(2, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}
    wanted = directional.forward(1 + batch["normal_dose"] / 1000)
    method.forward = lambda bands: bands
    ((_, loss),) = method.losses(batch)
    low = directional.forward(1 + batch["low_dose"] / 1000)
    assert torch.allclose(loss, (low - wanted).square().mean())
