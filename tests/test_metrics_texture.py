"""Noise spectra against scipy and closed forms; edges against known blurs."""

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from course_lib.errors import CourseError
from course_lib.metrics import texture

devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pictures():
    """Four discs of soft tissue (40 HU) in air with an organ edge and noise of 20 HU."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    centres = torch.tensor([60.0, 62, 64, 66]).view(-1, 1, 1, 1)
    target = torch.where((y - centres) ** 2 + (x - 64) ** 2 < 55**2, 40.0, -1000.0)
    target = torch.where((y - 64) ** 2 + (x - 90) ** 2 < 8**2, 300.0, target)
    return target + 20 * noise(4, 1, 128, 128)


def test_power_before_averaging_is_the_periodogram_of_scipy():
    # One-row pattern: every row the same, so that the 2D spectrum lives on one axis only.
    row = signal.detrend(noise(64).double().numpy())
    patch = torch.from_numpy(np.broadcast_to(row, (1, 64, 64)).copy())
    pixel = 0.7
    frequency, spectrum = texture.noise_power_spectrum(patch, pixel)
    f, density = signal.periodogram(row, fs=1 / pixel, detrend=False, return_onesided=False)
    # Δ²/n²·|DFT₂|² = n·Δ·(Δ/n·|DFT₁|²); a ring spreads its two bins over all its members.
    step = np.fft.fftfreq(64, 1 / 64)
    ring = np.rint(np.hypot(step[:, None], step))
    members = np.array([(ring == k).sum() for k in range(1, 33)])
    both = np.array([density[np.rint(np.abs(f) * 64 * pixel) == k].sum() for k in range(1, 33)])
    assert np.allclose(frequency.numpy(), np.arange(1, 33) / (64 * pixel))
    assert np.allclose(spectrum.numpy(), 64 * pixel * both / members, rtol=1e-9)


def test_white_noise_is_flat_and_has_the_stated_unit():
    sigma, pixel = 30.0, 0.5
    _, spectrum = texture.noise_power_spectrum(sigma * noise(2000, 32, 32), pixel)
    # Fitting the plane takes 2 of 1,023 degrees of freedom, all from the lowest frequencies.
    assert torch.allclose(spectrum[3:], torch.tensor(sigma**2 * pixel**2), rtol=0.01)
    assert 0.7 < spectrum[0] / (sigma * pixel) ** 2 < 1


def test_parseval_the_integral_is_the_variance():
    """Noise band-limited to the Nyquist circle, so that the rings hold all of its power."""
    n, pixel = 32, 0.8
    step = np.fft.fftfreq(n, 1 / n)
    ring = np.rint(np.hypot(step[:, None], step))
    inside = torch.from_numpy((ring >= 2) & (ring <= n // 2))
    white = noise(50, n, n, seed=3).double()
    patches = torch.fft.ifft2(torch.fft.fft2(white) * inside).real
    _, spectrum = texture.noise_power_spectrum(patches, pixel)
    members = torch.tensor([(ring == k).sum() for k in range(1, n // 2 + 1)])
    integral = (spectrum * members).sum() / (n * pixel) ** 2  # df_x · df_y per member
    detrended = texture._without_plane(patches)
    assert torch.isclose(integral, detrended.square().mean(), rtol=0.01)


def test_a_known_filter_shows_its_transfer_function():
    sigma, n = 1.0, 64
    white = noise(300, n, n, seed=1).numpy()
    smooth = np.stack([ndimage.gaussian_filter(w, sigma, mode="wrap") for w in white])
    _, before = texture.noise_power_spectrum(torch.from_numpy(white), 1.0)
    _, after = texture.noise_power_spectrum(torch.from_numpy(smooth), 1.0)
    f = np.fft.fftfreq(n)
    radius = np.hypot(f[:, None], f)
    transfer = np.exp(-((2 * np.pi * radius * sigma) ** 2))  # |MTF|² of a Gaussian
    ring = np.rint(n * radius)
    expected = torch.tensor([transfer[ring == k].mean() for k in range(1, n // 2 + 1)]).float()
    assert torch.allclose((after / before)[3:], expected[3:], rtol=0.03, atol=1e-3)


def test_shading_is_not_noise():
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    _, spectrum = texture.noise_power_spectrum((5 + 2 * y - 3 * x)[None], 1.0)
    assert spectrum.max() < 1e-4


def test_pixel_size_per_case():
    patches = noise(2, 3, 16, 16)
    frequency, spectrum = texture.noise_power_spectrum(patches, torch.tensor([0.5, 1.0]))
    f, s = texture.noise_power_spectrum(patches[1], 1.0)
    assert torch.allclose(frequency[1], f)
    assert torch.allclose(frequency[0], 2 * f)
    assert torch.allclose(spectrum[1], s)


def test_flat_rois_avoid_structure_and_overlap(pictures):
    rois = texture.flat_rois(pictures, size=24, count=6)
    patches = texture.crop(pictures, rois)
    assert rois.shape == (4, 6, 4)
    present = rois[..., 2] > 0
    assert present.sum(1).min() >= 4
    # Soft tissue with noise of 20 HU only: neither air nor the organ of 300 HU.
    assert (patches[present].std((-2, -1)) < 24).all()
    for case in rois.tolist():
        boxes = [b for b in case if b[2]]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                assert abs(a[0] - b[0]) >= 24 or abs(a[1] - b[1]) >= 24


def test_flattest_comes_first():
    picture = 5 * noise(5, 1, 96, 96)
    picture[..., 48:, :] += 60 * torch.sin(torch.arange(96.0) / 4)
    first = texture.flat_rois(picture, size=32, count=1)[:, 0]
    assert (first[:, 2] <= 48).all()


def test_a_case_without_soft_tissue_scores_nan(pictures):
    with_air = torch.cat([pictures[:1], torch.full((1, 1, 128, 128), -1000.0)])
    rois = texture.flat_rois(with_air, size=24)
    assert (rois[1] == 0).all()
    distance = texture.nps_distance(with_air + 1, with_air, rois)
    assert distance[0] == pytest.approx(0, abs=1e-3)
    assert distance[1].isnan()
    only_air = texture.flat_rois(with_air[1:], size=24)
    assert texture.nps_distance(with_air[1:], with_air[1:], only_air).isnan().all()


@pytest.mark.parametrize("device", devices)
def test_nps_distance_closed_forms_and_order(pictures, device):
    target = pictures.to(device)
    rois = texture.flat_rois(target, size=24, count=4)
    flat = torch.full_like(target, 40.0)
    halved = flat + (target - flat) / 2
    score = lambda p: texture.nps_distance(p, target, rois, 0.7).cpu()  # noqa: E731
    assert torch.equal(score(target), torch.zeros(4))
    assert torch.allclose(score(halved), torch.full((4,), 20 * np.log10(2)).float(), atol=1e-3)
    assert (score(flat) > 50).all() and (score(flat) < 65).all()
    values = torch.stack([score(flat + k * (target - flat)) for k in (1, 0.7, 0.4, 0.1)])
    assert (values.diff(dim=0) > 0).all()
    # The unit of length cancels.
    assert torch.allclose(texture.nps_distance(halved, target, rois, 2.0).cpu(), score(halved))


def test_smoothing_is_seen_by_texture(pictures):
    rois = texture.flat_rois(pictures, size=24, count=4)
    blurred = texture._gaussian(pictures, 1.0)
    assert (texture.nps_distance(blurred, pictures, rois) > 10).all()


def test_batch_equals_items_and_order_follows(pictures):
    prediction = texture._gaussian(pictures, 0.6)
    order = torch.tensor([2, 0, 3, 1])
    rois = texture.flat_rois(pictures, size=24, count=4)
    scores = {
        "nps": lambda i: texture.nps_distance(prediction[i], pictures[i], rois[i]),
        "sharpness": lambda i: texture.edge_sharpness(prediction[i], pictures[i]),
        "distance": lambda i: texture.edge_distance(prediction[i], pictures[i]),
    }
    for score in scores.values():
        whole = score(torch.arange(4))
        items = torch.cat([score(torch.tensor([i])) for i in range(4)])
        assert torch.allclose(whole, items, rtol=1e-5)
        assert torch.allclose(score(order), whole[order], rtol=1e-5)
    assert torch.equal(texture.flat_rois(pictures[order], size=24, count=4), rois[order])


def test_edges_of_known_blur():
    """Slopes of width 1 (the metric's) and √(1 + s²): ∫g·g' / ∫g² = √(2 / (2 + s²))."""
    step = torch.where(torch.arange(64) < 32, 0.0, 100.0).expand(1, 1, 64, 64).contiguous()
    assert texture.edge_sharpness(step, step).item() == pytest.approx(1)
    assert texture.edge_distance(step, step).item() == 0
    blurs = [1.0, 2.0, 3.0]
    sharpness = [texture.edge_sharpness(texture._gaussian(step, s), step).item() for s in blurs]
    distance = [texture.edge_distance(texture._gaussian(step, s), step).item() for s in blurs]
    assert sharpness == sorted(sharpness, reverse=True)
    assert distance == sorted(distance)
    assert sharpness == pytest.approx([np.sqrt(2 / (2 + s * s)) for s in blurs], abs=0.08)
    gone = torch.full_like(step, 50.0)
    assert texture.edge_distance(gone, step).item() == pytest.approx(1)
    assert texture.edge_sharpness(gone, step).item() == 0


def test_noise_is_not_sharpness():
    step = torch.where(torch.arange(64) < 32, 0.0, 100.0).expand(8, 1, 64, 64).contiguous()
    noisy = step + 10 * noise(8, 1, 64, 64)
    assert texture.edge_sharpness(noisy, step).mean().item() == pytest.approx(1, abs=0.02)
    assert (texture.edge_distance(noisy, step) > 0.05).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: texture.noise_power_spectrum(noise(2, 8, 9), 1.0), "n, n"),
        (lambda: texture.flat_rois(noise(1, 1, 20, 40), size=24), "at least 24"),
        (lambda: texture.edge_distance(noise(1, 1, 8, 8), noise(1, 1, 8, 9)), "both be"),
        (
            lambda: texture.crop(
                noise(1, 1, 64, 64), torch.tensor([[[0, 0, 16, 16], [0, 0, 24, 24]]])
            ),
            "equal squares",
        ),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(CourseError, match=message):
        call()
