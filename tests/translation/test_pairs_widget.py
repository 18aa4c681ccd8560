"""The lesson's widget: what misaligned pairs do to the best answer."""

import pytest
import torch

from course_lib.lesson.widgets.pairs import MovedPairs, pairs_explorer


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_the_knob_blurs_under_l2_and_thins_under_l1(cases):
    target = cases.validation["target"][0, 0]
    pairs = MovedPairs(target, 224 / 48)
    for best in ("median", "mean"):
        same, answer = pairs(0.0, best)
        assert torch.allclose(same, target, atol=0.1) and torch.allclose(answer, target, atol=0.1)
    mean, median = (pairs(14.0, best)[1] for best in ("mean", "median"))
    moved = MovedPairs(target, 224 / 48)(14.0, "mean")[0]
    assert (mean > 300).sum() < (moved > 300).sum()
    assert mean.max() < 0.8 * moved.max()
    assert not torch.allclose(mean, median, atol=50)


def test_the_widget_says_what_it_shows(cases):
    batch = cases.validation.batch(slice(0, 1))
    explorer = pairs_explorer(batch["source"][0, 0], batch["target"][0, 0], 224 / 48)
    before = explorer.picture.alt
    explorer.controls["mm"].value = 12
    assert "12 mm" in explorer.picture.alt and explorer.picture.alt != before
    explorer.controls["best"].value = "L2 (mean)"
    assert "L2" in explorer.picture.alt
