"""Gradient correlation."""

import numpy as np
import pytest
import torch

from course_lib.parts.translation.gradients import gradient_consistency, gradient_correlation


def test_gradient_correlation_of_known_images():
    image = torch.randn(3, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    one, minus = torch.ones(3), -torch.ones(3)
    assert torch.allclose(gradient_correlation(image, 5 * image + 100), one, atol=1e-4)
    assert torch.allclose(gradient_correlation(image, 2 - image), minus, atol=1e-4)
    assert torch.allclose(gradient_correlation(image, 2 - image, absolute=True), one, atol=1e-4)
    assert gradient_correlation(image, image.roll(5, -1)).abs().max() < 0.2
    assert torch.equal(gradient_correlation(image, torch.ones_like(image)), torch.zeros(3))
    assert float(gradient_consistency(image, 2 - image)) == pytest.approx(2, abs=1e-4)
    # One axis at a time: an image that changes along x only knows nothing of y.
    ramp = torch.sin(torch.arange(20.0)).expand(1, 1, 20, 20)
    assert float(gradient_correlation(ramp, ramp)) == pytest.approx(0.5, abs=1e-4)
    by_hand = [
        np.corrcoef(np.diff(image[0, 0], axis=k).ravel(), np.diff(image[1, 0], axis=k).ravel())[
            0, 1
        ]
        for k in (0, 1)
    ]
    found = gradient_correlation(image[:1], image[1:2])
    assert float(found) == pytest.approx(np.mean(by_hand), abs=1e-5)
