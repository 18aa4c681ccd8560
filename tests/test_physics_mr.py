"""k-space against numpy.fft and the theorems; masks against what they promise."""

import math

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.physics import kspace_masks, mr

devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
SIZES = [(16, 16), (18, 16), (18, 22), (15, 16), (13, 17)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_complex(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=seeded(seed))


def dot(a, b):
    return (a.conj() * b).sum()


@pytest.mark.parametrize("size", SIZES)
def test_fft_agrees_with_numpy_and_is_unitary(size):
    image = random_complex(2, 3, *size)
    axes = (-2, -1)
    expected = np.fft.fftshift(
        np.fft.fft2(np.fft.ifftshift(image.numpy(), axes), norm="ortho"), axes
    )
    kspace = mr.fft2c(image)
    assert np.allclose(kspace.numpy(), expected, atol=1e-5)
    assert torch.allclose(mr.ifft2c(kspace), image, atol=1e-5)
    assert torch.isclose(kspace.norm(), image.norm(), rtol=1e-5)  # Parseval
    other = random_complex(2, 3, *size, seed=1)
    assert torch.isclose(dot(mr.fft2c(image), other), dot(image, mr.ifft2c(other)), rtol=1e-4)


def test_delta_at_the_centre_is_flat_and_dc_is_the_mean():
    image = torch.zeros(1, 1, 18, 22, dtype=torch.complex64)
    image[..., 9, 11] = 1
    assert torch.allclose(mr.fft2c(image), torch.full_like(image, 1 / math.sqrt(18 * 22)))
    picture = random_complex(1, 1, 18, 22)
    expected = picture.mean() * math.sqrt(18 * 22)
    assert torch.isclose(mr.fft2c(picture)[0, 0, 9, 11], expected, rtol=1e-4)


def test_shift_theorem():
    """A picture moved by (3, −2) pixels gains the phase exp(−2πi·(3u/H − 2v/W))."""
    height, width = 16, 24
    image = random_complex(1, 1, height, width)
    u = torch.arange(height)[:, None] - height // 2
    v = torch.arange(width) - width // 2
    phase = torch.exp(-2j * math.pi * (3 * u / height - 2 * v / width))
    moved = image.roll((3, -2), (-2, -1))
    assert torch.allclose(mr.fft2c(moved), mr.fft2c(image) * phase, atol=1e-4)


def test_scaling_theorem():
    """exp(−π(r/a)²) has the transform a²·exp(−π(a·f)²): wide pictures are narrow in k-space."""
    n = 64
    place = torch.arange(n) - n // 2
    square = place[:, None].square() + place.square()
    for width in (6.0, 8.0, 12.0):
        picture = torch.exp(-math.pi * square / width**2).to(torch.complex64)[None, None]
        expected = width**2 / n * torch.exp(-math.pi * square * (width / n) ** 2)
        assert torch.allclose(mr.fft2c(picture)[0, 0].real, expected, atol=1e-4)


def coil_maps(size, coils):
    """Sensitivities of coils, (1, K, H, W) complex, whose squares add up to one everywhere."""
    maps = random_complex(1, coils, *size, seed=7)
    return maps / maps.abs().square().sum(1, keepdim=True).sqrt()


@pytest.mark.parametrize("coils", [None, 1, 5])
@pytest.mark.parametrize("device", devices)
def test_adjoint(coils, device):
    maps = None if coils is None else coil_maps((24, 20), coils).to(device)
    mask = kspace_masks.gaussian_mask((24, 20), 3, 4, seeded()).to(device)
    image = random_complex(4, 1, 24, 20).to(device)
    kspace = random_complex(4, coils or 1, 24, 20, seed=1).to(device)
    left = dot(mr.forward(image, mask, maps), kspace)
    right = dot(image, mr.adjoint(kspace, mask, maps))
    assert abs(left - right) / abs(left) < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_masked_sampling_is_the_transform_times_the_mask_with_exact_gradients(size):
    """Masks of one case and of all, both ways, and the derivatives of both in double precision."""
    image, kspace = random_complex(3, 1, *size), random_complex(3, 1, *size, seed=1)
    for cases in (1, 3):
        mask = (torch.rand(cases, 1, *size, generator=seeded()) < 0.4).float()
        assert torch.allclose(mr.forward(image, mask), mask * mr.fft2c(image), atol=1e-6)
        assert torch.allclose(mr.adjoint(kspace, mask), mr.ifft2c(mask * kspace), atol=1e-6)
        assert (mr.forward(image, mask)[mask.expand(3, 1, *size) == 0] == 0).all()
    small = random_complex(1, 1, 3 + size[0] % 2, 4).to(torch.complex128).requires_grad_()
    mask = (torch.rand(1, 1, *small.shape[-2:], generator=seeded()) < 0.6).double()
    for through in (mr.forward, mr.adjoint):
        assert torch.autograd.gradcheck(lambda x, f=through: f(x, mask), small)


def test_full_sampling_is_inverted_with_any_number_of_coils():
    image, every = random_complex(2, 1, 16, 20), torch.ones(1, 1, 16, 20)
    for coils in (1, 4, 8):
        maps = coil_maps((16, 20), coils)
        assert torch.allclose(maps.abs().square().sum(1), torch.ones(1, 16, 20), atol=1e-5)
        measured = mr.forward(image, every, maps)
        assert measured.shape == (2, coils, 16, 20)
        assert torch.allclose(mr.adjoint(measured, every, maps), image, atol=1e-5)


def test_noise_level():
    mask = kspace_masks.gaussian_mask((64, 64), 2, 1, seeded())
    silent = torch.zeros(20, 2, 64, 64, dtype=torch.complex64)
    noisy = mr.add_noise(silent, mask, snr=torch.linspace(5, 100, 20), generator=seeded(), signal=2)
    sampled = noisy[..., mask[0, 0] == 1]
    expected = 2 / torch.linspace(5, 100, 20)
    assert torch.allclose(sampled.real.std((1, 2)), expected, rtol=0.05)
    assert torch.allclose(sampled.imag.std((1, 2)), expected, rtol=0.05)
    assert (noisy[..., mask[0, 0] == 0] == 0).all()
    correlation = (sampled.real * sampled.imag).mean((1, 2)) / expected.square()
    assert correlation.abs().max() < 0.06
    # Orthonormal transforms: the same noise in the picture.
    full = mr.add_noise(silent, torch.ones(1, 1, 64, 64), 10, seeded())
    assert mr.ifft2c(full).real.std().item() == pytest.approx(0.1, rel=0.02)
    with pytest.raises(CourseError, match="positive"):
        mr.add_noise(silent, mask, 0, seeded())


def test_hard_data_consistency_agrees_with_the_data_and_is_idempotent():
    truth, guess = random_complex(3, 1, 16, 16), random_complex(3, 1, 16, 16, seed=1)
    mask = kspace_masks.cartesian_mask((16, 16), 2, 3, seeded())
    measured = mr.forward(truth, mask)
    once = mr.data_consistency(guess, measured, mask)
    assert torch.allclose(mr.forward(once, mask), measured, atol=1e-5)
    assert torch.allclose(mr.data_consistency(once, measured, mask), once, atol=1e-5)
    # What was not measured is the guess's, and the error can only shrink.
    rest = 1 - mask
    assert torch.allclose(rest * mr.fft2c(once), rest * mr.fft2c(guess), atol=1e-5)
    assert (once - truth).norm() < (guess - truth).norm()


def test_soft_data_consistency_is_the_stated_average():
    estimate, measured = random_complex(2, 1, 8, 8), random_complex(2, 1, 8, 8, seed=1)
    mask = (torch.arange(64).view(1, 1, 8, 8) % 3 == 0).float()
    weight = torch.tensor(4.0, requires_grad=True)
    soft = mr.replace_samples(estimate, measured, mask, weight)
    expected = torch.where(mask == 1, (estimate + 4 * measured) / 5, estimate)
    assert torch.allclose(soft, expected, atol=1e-6)
    soft.abs().sum().backward()
    assert weight.grad.abs() > 0
    hard = mr.replace_samples(estimate, measured, mask)
    assert torch.allclose(mr.replace_samples(estimate, measured, mask, 1e7), hard, atol=1e-5)
    assert torch.equal(mr.replace_samples(estimate, measured, mask, 0.0), estimate)


def test_smooth_phase():
    phase = mr.smooth_phase((32, 48), 6, seeded(), strength=0.7)
    assert phase.shape == (6, 1, 32, 48)
    ripple = phase - phase.mean((-2, -1), keepdim=True)
    assert torch.allclose(ripple.square().mean((-2, -1)).sqrt(), torch.tensor(0.7), rtol=1e-3)
    assert phase.diff(dim=-1).abs().max() < 0.5
    assert torch.equal(phase, mr.smooth_phase((32, 48), 6, seeded(), strength=0.7))


MASKS = {
    "cartesian": (kspace_masks.cartesian_mask, 0.05),
    "regular": (
        lambda *a: kspace_masks.cartesian_mask(*a, regular=True),
        0.05,
    ),
    "gaussian": (kspace_masks.gaussian_mask, 0.01),
    "poisson disc": (kspace_masks.poisson_disc_mask, 0.08),
    "radial": (kspace_masks.radial_mask, 0.08),
}


@pytest.mark.parametrize("make, tolerance", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("size", [(64, 64), (48, 61)])
def test_masks(make, tolerance, size):
    for acceleration in (3, 6):
        mask = make(size, acceleration, 3, seeded())
        assert mask.shape == (3, 1, *size) and mask.dtype == torch.float32
        assert ((mask == 0) | (mask == 1)).all()
        actual = 1 / mask.mean((1, 2, 3))
        assert torch.allclose(actual, torch.tensor(float(acceleration)), rtol=tolerance)
        assert torch.equal(mask, make(size, acceleration, 3, seeded()))  # the seed decides
        assert not torch.equal(mask[0], mask[1])
        assert (mask[..., size[0] // 2, size[1] // 2] == 1).all() or make is MASKS["poisson disc"][
            0
        ]
        middle = mask[..., size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4]
        assert middle.mean() > mask.mean()  # denser where the energy is
    with pytest.raises(CourseError, match="acceleration"):
        make(size, 0.5, 1, seeded())


def test_cartesian_masks_are_lines_with_a_full_centre():
    for regular in (False, True):
        mask = kspace_masks.cartesian_mask((32, 100), 4, 5, seeded(), 0.08, regular)
        assert (mask == mask[:, :, :1]).all()
        assert (mask[..., 46:54] == 1).all()
        assert (mask[:, 0, 0].sum(1) == 25).all()
    gaps = torch.where(mask[0, 0, 0, 54:] == 1)[0].diff()
    assert gaps.max() - gaps.min() <= 1


def test_poisson_disc_keeps_its_distance():
    mask = kspace_masks.poisson_disc_mask((64, 64), 6, 1, seeded(), growth=0.0)[0, 0]
    points = torch.nonzero(mask).float()
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).min(1).values
    gaussian = kspace_masks.gaussian_mask((64, 64), 6, 1, seeded(), sigma=10.0)[0, 0]
    others = torch.nonzero(gaussian).float()
    random_nearest = torch.cdist(others, others).fill_diagonal_(torch.inf).min(1).values
    assert nearest.min() >= 1.9
    assert random_nearest.min() == 1
