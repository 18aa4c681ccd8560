"""Distances between crowds of features against scipy, closed forms, and their stated bias."""

import numpy as np
import pytest
import torch
from scipy import linalg

from course_lib.errors import CourseError
from course_lib.metrics import generation as metrics


def sample(n, d, seed, mean=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return mean + scale * torch.randn(n, d, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n, m, d", [(200, 300, 16), (20, 30, 64), (200, 20, 32)])
def test_frechet_distance_is_the_textbook_formula(n, m, d):
    mix = sample(d, d, 9)
    first, second = sample(n, d, 0) @ mix, 0.3 + sample(m, d, 1, scale=1.5)
    means = np.square(first.mean(0).numpy() - second.mean(0).numpy()).sum()
    a, b = np.cov(first.numpy().T), np.cov(second.numpy().T)
    root = linalg.sqrtm(a @ b)
    expected = means + np.trace(a + b - 2 * np.real(root))
    # scipy's root of a singular matrix (n < d) is itself good to a few digits only.
    tolerance = 1e-8 if min(n, m) > d else 1e-3
    assert metrics.frechet_distance(first, second).item() == pytest.approx(expected, rel=tolerance)


def test_frechet_distance_of_known_gaussians():
    """Whitened samples have exactly the wanted moments: ‖Δμ‖² + Σ(σ₁ − σ₂)²."""
    white = sample(100, 5, 0)
    white = white - white.mean(0)
    factor = torch.linalg.cholesky(torch.cov(white.T))
    white = torch.linalg.solve_triangular(factor, white.T, upper=False).T
    sigma = torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64)
    other = white * sigma + torch.tensor([1.0, 0, 0, 0, 2])
    expected = 5 + (sigma - 1).square().sum().item()
    assert metrics.frechet_distance(white, other).item() == pytest.approx(expected)


def test_same_pictures_score_zero_and_order_does_not_matter():
    features, other = sample(50, 8, 0), sample(60, 8, 1, mean=0.5)
    assert metrics.frechet_distance(features, features).item() == pytest.approx(0, abs=1e-9)
    for distance in (metrics.frechet_distance, metrics.kernel_distance):
        value = distance(features, other)
        assert distance(features.flip(0), other).item() == pytest.approx(value.item())
        assert distance(other, features).item() == pytest.approx(value.item())


def test_growing_difference_is_worse():
    generator = torch.Generator()
    for distance in (
        metrics.frechet_distance,
        metrics.kernel_distance,
        lambda a, b: metrics.frechet_distance_unbiased(a, b, generator.manual_seed(0)),
    ):
        shifts = [distance(sample(200, 8, 0), sample(200, 8, 1, mean=m)) for m in (0, 0.4, 0.8, 2)]
        widths = [distance(sample(200, 8, 0), sample(200, 8, 1, scale=s)) for s in (1, 1.5, 2, 3)]
        assert shifts == sorted(shifts) and widths == sorted(widths)


def test_bias_is_as_stated():
    """Two samples of one distribution: the plain distance falls as 1/n, the others are near 0."""
    plain, extrapolated, kernel = {}, [], []
    for n in (40, 160):
        pairs = [(sample(n, 10, 2 * k), sample(n, 10, 2 * k + 1)) for k in range(40)]
        plain[n] = torch.stack([metrics.frechet_distance(a, b) for a, b in pairs]).mean()
        if n == 160:
            generator = torch.Generator().manual_seed(0)
            extrapolated = torch.stack(
                [metrics.frechet_distance_unbiased(a, b, generator, 5) for a, b in pairs]
            )
        kernel.append(torch.stack([metrics.kernel_distance(a, b) for a, b in pairs]))
    assert plain[40] / plain[160] == pytest.approx(4, rel=0.25)
    assert extrapolated.mean().abs() < plain[160] / 4
    for values in kernel:
        assert values.mean().abs() < 3 * values.std() / 40**0.5


def test_kernel_distance_is_the_textbook_sum():
    first, second = sample(7, 3, 0), sample(9, 3, 1)

    def kernel(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    same = [
        np.mean([kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
        for a in (first, second)
    ]
    cross = np.mean([kernel(x, y) for x in first for y in second])
    expected = sum(same) - 2 * cross
    assert metrics.kernel_distance(first, second).item() == pytest.approx(expected)


def test_nan_and_bad_input():
    broken = sample(20, 4, 0)
    broken[3, 1] = torch.nan
    good = sample(20, 4, 1)
    assert metrics.frechet_distance(broken, good).isnan()
    assert metrics.kernel_distance(broken, good).isnan()
    with pytest.raises(CourseError, match="equal d"):
        metrics.frechet_distance(good, good[:, :3])
    with pytest.raises(CourseError, match="two pictures"):
        metrics.kernel_distance(good, good[:1])
    with pytest.raises(CourseError, match="at least 16"):
        metrics.frechet_distance_unbiased(good[:10], good, torch.Generator())
