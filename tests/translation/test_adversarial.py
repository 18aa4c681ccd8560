"""Losses of the adversarial game against their formulas."""

import pytest
import torch
from torch import nn

from course_lib.parts import adversarial


def test_least_squares_and_logistic_losses_are_their_formulas():
    real, fake = torch.tensor([0.5, 1.0]), torch.tensor([-1.0, 2.0])
    value = adversarial.least_squares_critic(real, fake)
    assert float(value) == pytest.approx(0.5 * (0.125 + 2.5))
    assert float(adversarial.least_squares_generator(fake)) == pytest.approx(2.5)
    bce, one = nn.BCEWithLogitsLoss(), torch.ones(2)
    wanted = 0.5 * (bce(real, one) + bce(fake, 0 * one))
    ours = 0.5 * adversarial.discriminator_cross_entropy(real, fake)
    assert float(ours) == pytest.approx(float(wanted))
    assert float(adversarial.non_saturating_generator(fake)) == pytest.approx(float(bce(fake, one)))
