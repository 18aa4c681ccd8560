"""The picture metrics against scikit-image and closed forms, and the properties they promise."""

import numpy as np
import pytest
import torch
from skimage import metrics as reference

from course_lib.errors import CourseError
from course_lib.metrics import image

RANGE = 2000.0
METRICS = {
    "psnr": (lambda p, t, **k: image.psnr(p, t, RANGE, **k), float("inf"), "higher"),
    "ssim": (lambda p, t, **k: image.ssim(p, t, RANGE, **k), 1.0, "higher"),
    "rmse": (image.rmse, 0.0, "lower"),
    "windowed rmse": (lambda p, t, **k: image.rmse(p, t, (-160, 240), **k), 0.0, "lower"),
    "nmse": (image.nmse, 0.0, "lower"),
}
each_metric = pytest.mark.parametrize("score, ideal, better", METRICS.values(), ids=METRICS)
devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture(scope="module")
def pair():
    """CT-like: smooth structure from -1000 to 1000 HU, and the same with noise of 40 HU."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(5, 1, 7, 8, generator=generator)
    target = torch.nn.functional.interpolate(coarse, size=(48, 61), mode="bicubic")
    target = (target * 500).clamp(-1000, 1000)
    return target + 40 * torch.randn(target.shape, generator=generator), target


def test_agrees_with_scikit_image(pair):
    for offset in (0.0, 1024.0):  # HU as they are, and made non-negative
        prediction, target = (x + offset for x in pair)
        mine = image.ssim(prediction, target, RANGE), image.psnr(prediction, target, RANGE)
        for case, (p, t) in enumerate(zip(prediction, target, strict=True)):
            p, t = p[0].numpy().astype(np.float64), t[0].numpy().astype(np.float64)
            options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
            theirs = reference.structural_similarity(p, t, data_range=RANGE, **options)
            assert abs(mine[0][case] - theirs) < 1e-5
            theirs = reference.peak_signal_noise_ratio(t, p, data_range=RANGE)
            assert abs(mine[1][case] - theirs) < 1e-4


def test_volumes_and_channels_agree_with_scikit_image():
    generator = torch.Generator().manual_seed(2)
    target = torch.rand(2, 2, 13, 14, 15, generator=generator)
    prediction = target + 0.1 * torch.rand(target.shape, generator=generator)
    mine = image.ssim(prediction, target, 1.0)
    for case in range(2):
        theirs = reference.structural_similarity(
            prediction[case].double().numpy(),
            target[case].double().numpy(),
            data_range=1.0,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert abs(mine[case] - theirs) < 1e-5


def test_closed_forms():
    target = torch.full((1, 1, 16, 16), 100.0)
    prediction = target + 10
    assert image.rmse(prediction, target).item() == pytest.approx(10)
    assert image.nmse(prediction, target).item() == pytest.approx(0.01)
    assert image.psnr(prediction, target, 1000).item() == pytest.approx(40)
    assert image.rmse(prediction, target, (0, 105)).item() == pytest.approx(5)
    c1 = (0.01 * 1000) ** 2  # constant pictures leave only the luminance term
    luminance = (2 * 110 * 100 + c1) / (110**2 + 100**2 + c1)
    assert image.ssim(prediction, target, 1000).item() == pytest.approx(luminance, abs=1e-6)


@each_metric
@pytest.mark.parametrize("device", devices)
def test_perfect_is_ideal_and_growing_error_is_worse(score, ideal, better, device, pair):
    noisy, target = (x.to(device) for x in pair)
    assert torch.allclose(score(target, target).cpu(), torch.tensor(ideal).expand(5))
    values = torch.stack([score(target + k * (noisy - target), target) for k in (0.5, 1, 2, 4)])
    worse = -values.diff(dim=0) if better == "higher" else values.diff(dim=0)
    assert values.shape == (4, 5)
    assert (worse > 0).all()


@each_metric
def test_batch_equals_items_and_order_follows(score, ideal, better, pair):
    prediction, target = pair
    region = torch.tensor([[i, 2 * i, 30 + i, 40] for i in range(5)])
    order = torch.tensor([3, 0, 4, 1, 2])
    for options in ({}, {"region": region}):
        whole = score(prediction, target, **options)
        items = []
        for i in range(5):
            one = {name: value[i : i + 1] for name, value in options.items()}
            items.append(score(prediction[i : i + 1], target[i : i + 1], **one))
        assert torch.allclose(whole, torch.cat(items), rtol=1e-6)
        shuffled = {name: value[order] for name, value in options.items()}
        assert torch.equal(score(prediction[order], target[order], **shuffled), whole[order])


@each_metric
def test_region_is_the_same_as_the_crop(score, ideal, better, pair):
    prediction, target = pair
    box = (slice(None), slice(None), slice(5, 30), slice(11, 50))
    region = torch.tensor([[5, 11, 30, 50]]).expand(5, 4)
    cropped = score(prediction[box], target[box])
    # SSIM centres on the mean of what it is given; only rounding may differ.
    assert torch.allclose(score(prediction, target, region=region), cropped, rtol=1e-4)


@each_metric
def test_nan_stays_in_its_case(score, ideal, better, pair):
    prediction = pair[0].clone()
    prediction[2, 0, 20, 20] = float("nan")
    assert score(prediction, pair[1]).isnan().tolist() == [False, False, True, False, False]


def test_complex_pictures():
    generator = torch.Generator().manual_seed(3)
    target = torch.randn(2, 1, 16, 16, dtype=torch.complex64, generator=generator)
    turned = target * torch.exp(torch.tensor(1j * 0.1))
    assert (image.psnr(turned, target, 1.0) > 120).all()  # magnitudes agree to rounding
    expected = torch.full((2,), 2 - 2 * np.cos(0.1), dtype=torch.float32)  # |e^{0.1i} − 1|²
    assert torch.allclose(image.nmse(turned, target), expected, rtol=1e-4)


def test_data_range_per_case(pair):
    ranges = torch.tensor([500.0, 1000, 2000, 3000, 4000])
    for score in (image.psnr, image.ssim):
        together = score(*pair, ranges)
        alone = torch.stack([score(*pair, float(r))[i] for i, r in enumerate(ranges)])
        assert torch.allclose(together, alone)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p, t: image.psnr(p[:2], t, RANGE), "same shape"),
        (lambda p, t: image.psnr(p, t, 0), "positive"),
        (lambda p, t: image.rmse(p, t, (10, 10)), "empty"),
        (lambda p, t: image.ssim(p[..., :10], t[..., :10], RANGE), "at least 11"),
        (lambda p, t: image.rmse(p, t, region=torch.tensor([[0, 0, 99, 10]] * 5)), "leaves"),
        (lambda p, t: image.rmse(p, t, region=torch.tensor([[0, 0, 9, 10]])), "shape"),
        (lambda p, t: image.ssim(p, t, RANGE, region=torch.tensor([[0, 0, 9, 20]] * 5)), "boxes"),
    ],
)
def test_bad_input_is_explained(call, message, pair):
    with pytest.raises(CourseError, match=message):
        call(*pair)
