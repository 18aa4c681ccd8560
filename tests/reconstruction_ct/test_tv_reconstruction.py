"""Total variation reconstruction: it minimises what it says."""

import pytest
import torch

from course_lib.methods.reconstruction_ct import tv_reconstruction as tv
from tests.reconstruction_ct.example import complete_scan


def test_tv_gradient_and_divergence_are_adjoint_and_its_norm_is_known():
    generator = torch.Generator().manual_seed(0)
    x, e = (
        torch.randn(2, 1, 9, 7, generator=generator),
        torch.randn(2, 2, 9, 7, generator=generator),
    )
    left, right = (tv.gradient(x) * e).sum(), -(x * tv.divergence(e)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-4)
    for _ in range(200):
        x = -tv.divergence(tv.gradient(x / x.norm()))
    assert float(x.norm()) <= tv.GRADIENT_NORM**2


def test_tv_reaches_the_minimum_of_its_objective():
    scan, image, data = complete_scan(32, 12)
    method = tv.TVReconstruction()
    method.weight = 0.003

    def objective(x):
        return (
            0.5 * (scan(x) - data).square().sum() + method.weight * tv.gradient(x).norm(dim=1).sum()
        )

    values = []
    for method.iterations in (20, 300, 1500):
        values.append(float(objective(method.solve(scan, data, torch.zeros_like(image)))))
    assert values[0] > values[1] >= 0.999 * values[2]
    assert values[1] == pytest.approx(values[2], rel=0.02)
    solution = method.solve(scan, data, torch.zeros_like(image))
    assert solution.min() >= 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):  # nothing nearby is better
        other = (solution + 0.01 * torch.randn(image.shape, generator=generator)).clamp_min(0)
        assert objective(other) > objective(solution)
