"""BM3D: the noise that it is told of."""

import numpy as np
import pytest
import torch

from course_lib.methods.denoising.bm3d import BM3D, power_spectrum


@pytest.mark.parametrize("spectrum", ["white", "ramp"])
def test_bm3d_noise_model_has_the_stated_variance(spectrum):
    power = power_spectrum((32, 48), 20.0, spectrum)
    white = np.random.default_rng(0).normal(size=(32, 48))
    shaped = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power / power.size)).real
    assert power.mean() == pytest.approx(32 * 48 * 20.0**2)
    assert shaped.std() == pytest.approx(20, rel=0.1)
    assert (power[0, 0] < power[16, 24]) == (spectrum == "ramp")


def test_bm3d_improves_a_noisy_edge():
    truth = torch.zeros(1, 1, 48, 48)
    truth[..., 24:] = 300
    noisy = truth + 40 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    method = BM3D()
    method.set({"sigma_hu": 40.0, "spectrum": "white"})
    output = method.predict({"low_dose": noisy})
    assert (output - truth).square().mean() < 0.1 * (noisy - truth).square().mean()
