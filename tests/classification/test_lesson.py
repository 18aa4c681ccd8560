"""The widget of the lesson on classification."""

import numpy as np
import pytest
import torch

from course_lib.lesson.widgets.decision import Decision, decision_explorer
from course_lib.tasks.classification import malignancy


def test_the_widgets_numbers():
    decision = Decision(torch.tensor([0.1, 0.4, 0.6, 0.9]), torch.tensor([0, 1, 0, 1]))
    assert decision.rates(0.5) == (0.5, 0.5)
    assert decision.true_alarms(0.5, 0.5) == pytest.approx(0.5)
    assert decision.true_alarms(0.5, 0.1) == pytest.approx(0.1)
    assert np.isnan(decision.true_alarms(1.0, 0.5))
    area = np.trapezoid(decision.curve[:, 1], decision.curve[:, 0])
    assert area == pytest.approx(0.75)


def test_the_widget_draws():
    explorer = decision_explorer(
        torch.rand(20, generator=torch.Generator().manual_seed(0)),
        torch.arange(20) % 2,
        malignancy.CLASSES,
    )
    picture = explorer.draw(threshold=0.3, prevalence=0.1)
    assert "cut at 0.30" in picture.alt and picture.png[:4] == b"\x89PNG"
