"""Degradations against closed forms, torch and scipy; every linear one is adjoint."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from course_lib.errors import CourseError
from course_lib.physics import resolution
from course_lib.physics.mr import fft2c

MATRICES = {
    "bicubic": (resolution.bicubic(24, 3), 3),
    "gaussian": (resolution.gaussian(24, 2, 3.0), 2),
    "boxcar": (resolution.boxcar(24, 4, 5.0), 4),
    "cubic spline": (resolution.cubic_spline(12, 2), 0.5),
}


def random(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("matrix, factor", MATRICES.values(), ids=MATRICES)
def test_matrices_are_adjoint_and_keep_constants(matrix, factor):
    new, old = matrix.shape
    assert new == old / factor
    matrices = {-2: matrix, -1: matrix, 2: matrix}
    large, small = random(2, 1, old, old, old), random(2, 1, new, new, new, seed=1)
    left = (resolution.apply(large, matrices) * small).sum()
    right = (large * resolution.apply(small, resolution.transposed(matrices))).sum()
    assert abs(left - right) / abs(left) < 1e-5
    constant = torch.full((1, 1, old, old, old), 3.5)
    assert torch.allclose(resolution.apply(constant, matrices), torch.tensor(3.5), atol=1e-5)


@pytest.mark.parametrize("matrix, factor", MATRICES.values(), ids=MATRICES)
def test_a_ramp_stays_a_ramp(matrix, factor):
    """Centres are where they should be: no half-pixel shift, the classic fault."""
    new, old = matrix.shape
    expected = (np.arange(new) + 0.5) * factor - 0.5
    inner = slice(new // 4, -new // 4)
    assert np.allclose((matrix @ np.arange(old))[inner], expected[inner], atol=5e-3)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_is_torch_antialiased(factor):
    image = random(2, 3, 48, 60)
    expected = F.interpolate(
        image, (48 // factor, 60 // factor), mode="bicubic", antialias=True, align_corners=False
    )
    matrices = {-2: resolution.bicubic(48, factor), -1: resolution.bicubic(60, factor)}
    assert torch.allclose(resolution.apply(image, matrices), expected, atol=1e-5)


def wave_amplitude(matrix, factor, frequency):
    """Attenuation of exp(2πi·f·x) through the middle rows of the matrix."""
    new, old = matrix.shape
    inner = slice(new // 3, 2 * new // 3)
    centre = (np.arange(new) + 0.5) * factor - 0.5
    passed = matrix @ np.exp(2j * np.pi * frequency * np.arange(old))
    return (passed / np.exp(2j * np.pi * frequency * centre))[inner]


@pytest.mark.parametrize("frequency", [0.02, 0.07, 0.15])
def test_waves_are_attenuated_as_stated(frequency):
    sigma = 4.0 / np.sqrt(8 * np.log(2))
    gaussian = wave_amplitude(resolution.gaussian(96, 2, 4.0), 2, frequency)
    assert np.allclose(gaussian, np.exp(-2 * (np.pi * sigma * frequency) ** 2), atol=1e-4)
    for factor, thickness in ((4, 4), (3, 5), (4, 2)):  # touching, overlapping, with gaps
        boxcar = wave_amplitude(resolution.boxcar(96, factor, thickness), factor, frequency)
        expected = np.sin(np.pi * thickness * frequency) / thickness / np.sin(np.pi * frequency)
        assert np.allclose(boxcar, expected, atol=1e-9)


def test_gaussian_is_scipy_blur_and_decimation():
    line = random(60).double().numpy()
    fwhm, factor = 4.0, 3  # odd factor: centres fall on pixels
    blurred = ndimage.gaussian_filter1d(line, fwhm / np.sqrt(8 * np.log(2)), truncate=10)
    mine = resolution.gaussian(60, factor, fwhm) @ line
    assert np.allclose(mine[4:-4], blurred[1::3][4:-4], atol=1e-6)


def test_boxcar_is_the_mean_of_its_slices():
    volume = random(2, 1, 12, 5, 6)
    thick = resolution.apply(volume, {-3: resolution.boxcar(12, 4, 4.0)})
    assert torch.allclose(thick, volume.view(2, 1, 3, 4, 5, 6).mean(3), atol=1e-6)
    # A box of 4 around 4 reaches from 2 to 6 and cuts pixels 2 and 6 in half.
    assert np.allclose(resolution.boxcar(9, 9, 4.0)[0], [0, 0, 1 / 8, *[1 / 4] * 3, 1 / 8, 0, 0])


def test_kspace_truncation():
    image = random(2, 1, 32, 48, dtype=torch.complex64)
    small = resolution.truncate_kspace(image, 2)
    assert small.shape == (2, 1, 16, 24)
    assert torch.allclose(fft2c(small), fft2c(image)[..., 8:24, 12:36] / 2, atol=1e-5)
    assert torch.allclose(small.mean((-2, -1)), image.mean((-2, -1)), atol=1e-6)


def test_kspace_truncation_of_real_images():
    image = random(1, 1, 32, 32)
    small = resolution.truncate_kspace(image, 4)
    assert not small.is_complex()
    assert torch.allclose(small.mean((-2, -1)), image.mean((-2, -1)), atol=1e-6)
    # A wave below the new Nyquist passes unchanged, one above vanishes.
    x = torch.arange(32.0)
    for cycles, gain in ((2, 1.0), (6, 0.0)):
        wave = torch.cos(2 * torch.pi * cycles * x / 32).expand(1, 1, 32, 32)
        amplitude = resolution.truncate_kspace(wave, 4).abs().max()
        assert amplitude.item() == pytest.approx(gain, abs=1e-5)
    # An edge rings: values overshoot, as no blur with a positive kernel would.
    edge = (torch.arange(64) >= 32).float().expand(1, 1, 64, 64)
    assert resolution.truncate_kspace(edge, 4).max() > 1.02


@pytest.mark.parametrize("order", ["bicubic", "linear", "cubic spline"])
def test_enlarging_then_shrinking_a_smooth_image(order):
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    image = (torch.sin(y / 8) * torch.cos(x / 10))[None, None]
    small = resolution.apply(image, {a: resolution.boxcar(48, 2, 2.0) for a in (-2, -1)})
    large = resolution.enlarge(small, (2, 2), order)
    assert large.shape == image.shape
    error = (large - image)[..., 4:-4, 4:-4].abs().max()
    assert error < {"bicubic": 0.015, "linear": 0.02, "cubic spline": 0.006}[order]
    assert torch.allclose(resolution.enlarge(torch.ones(1, 1, 6, 6), (3, 1), order), torch.ones(1))


def test_cubic_spline_is_scipy_in_three_dimensions():
    volume = random(1, 1, 8, 9, 10).double()
    mine = resolution.enlarge(volume, (4, 1, 1))
    at = (np.arange(32) + 0.5) / 4 - 0.5
    grid = np.meshgrid(at, np.arange(9), np.arange(10), indexing="ij")
    theirs = ndimage.map_coordinates(volume[0, 0].numpy(), grid, order=3, mode="nearest")
    assert np.allclose(mine[0, 0].numpy(), theirs, atol=1e-6)


def test_gradients_pass():
    volume = random(1, 1, 8, 4, 4).requires_grad_()
    thick = resolution.apply(volume, {-3: resolution.boxcar(8, 2, 2.0)})
    resolution.enlarge(thick, (2, 1, 1)).sum().backward()
    assert torch.isfinite(volume.grad).all() and volume.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: resolution.bicubic(25, 2), "crop it"),
        (lambda: resolution.truncate_kspace(random(1, 1, 30, 32), 4), "crop it"),
        (lambda: resolution.apply(random(1, 1, 8, 8), {-1: resolution.bicubic(16, 2)}), "made for"),
        (lambda: resolution.enlarge(random(1, 1, 8, 8, 8), (2, 1, 1), "bicubic"), "3D"),
        (lambda: resolution.enlarge(random(1, 1, 8, 8), (2,)), "factors"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(CourseError, match=message):
        call()
