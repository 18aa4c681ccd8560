"""LS-GAN with a hybrid loss: what makes it itself; the game is tested with the others."""

import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.denoising.ma_lsgan import MaLSGAN


def batch() -> dict[str, torch.Tensor]:
    """A few patches of either dose."""
    return {k: torch.randn(3, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}


def test_ma_lsgan_answers_with_the_scan_minus_what_its_network_draws():
    method = MaLSGAN().fresh(Facts()).eval()
    given = batch()
    drawn = method.noise(1 + given["low_dose"] / 1000)
    with torch.no_grad():
        assert torch.allclose(method.predict(given), given["low_dose"] - 1000 * drawn, atol=1e-2)
    for weight in method.noise.parameters():
        nn.init.zeros_(weight)
    with torch.no_grad():
        assert torch.allclose(method.predict(given), given["low_dose"], atol=1e-3)


def test_ma_lsgan_has_three_terms():
    method = MaLSGAN().fresh(Facts())
    found = list(method.losses(batch()))
    assert [player for player, _ in found] == ["critic", "generator"]
    assert set(method.told) == {"adversarial", "structure", "value"}
    total = sum(getattr(method, name) * value for name, value in method.told.items())
    assert float(found[-1][1]) == pytest.approx(float(total), rel=1e-5)
