"""SMGAN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.smgan import SMGAN, generator, ms_ssim
from course_lib.parts.perceptual import PerceptualLoss
from tests.look import layers


def batch() -> dict[str, torch.Tensor]:
    """Stacks of either dose."""
    return {k: torch.randn(2, 1, 11, 44, 44) * 50 for k in ("stack", "normal_stack")}


def test_smgan_generator_is_3d_loses_eight_slices_and_sixteen_pixels():
    network = generator()
    convolutions = layers(network, nn.Conv3d)
    assert [c.kernel_size[0] for c in convolutions] == [1, 3] * 4
    assert all(c.kernel_size[1:] == (3, 3) and c.padding == (0, 0, 0) for c in convolutions)
    assert [c.out_channels for c in convolutions] == [16] * 7 + [1]
    assert network(torch.randn(1, 1, 11, 40, 36)).shape == (1, 1, 3, 24, 20)


def test_smgan_judges_structure_and_values_and_plays_wgan_gp():
    method = SMGAN().fresh(Facts())
    players = [player for player, _ in method.losses(batch())]
    assert players == ["critic"] * 4 + ["generator"]
    assert set(method.told) == {"adversarial", "structure"}
    assert not layers(method, PerceptualLoss) and not layers(method.critic, nn.BatchNorm2d)
    image = torch.rand(1, 3, 32, 32)
    assert float(method.judged(image, image)["structure"]) == pytest.approx(0, abs=1e-5)
    other = image + 0.1
    error = float(method.judged(other, image)["structure"])
    wanted = 0.89 * (1 - float(ms_ssim(other, image))) + 0.11 * 0.1
    assert error == pytest.approx(wanted, rel=1e-4)


def test_ms_ssim_falls_with_noise_of_every_scale_and_has_a_slope():
    torch.manual_seed(0)
    image = torch.rand(2, 1, 32, 32)
    fine = torch.randn_like(image) * 0.2
    coarse = nn.functional.interpolate(torch.randn(2, 1, 8, 8), scale_factor=4) * 0.2
    for noise in (fine, coarse):
        some, more = ms_ssim(image + noise / 2, image), ms_ssim(image + noise, image)
        assert 1 > some > more
    image.requires_grad_(True)
    ms_ssim(image, image.detach() + fine).backward()
    assert image.grad.abs().sum() > 0


def test_smgan_sees_neighbours_and_its_twin_does_not():
    given = batch()
    far = {"stack": given["stack"].clone()}
    far["stack"][:, :, [1, 9]] += 200
    with torch.no_grad():
        for context, same in ((True, False), (False, True)):
            method = SMGAN(context=context).fresh(Facts()).eval()
            answers = [method.predict(one) for one in (given, far)]
            assert answers[0].shape == (2, 1, 44, 44)
            assert torch.equal(*answers) == same
