"""Histogram matching."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.methods.translation.histogram_matching import HistogramMatching


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_histogram_matching_keeps_the_order_and_takes_on_the_histogram(cases):
    method = HistogramMatching().fresh(cases.facts)
    with pytest.raises(CourseError, match="prepare"):
        method.predict(cases.test.tensors)
    method.prepare(cases.train)
    batch = cases.test.batch(slice(0, 1))
    for method.scope in ("image", "set"):
        output = method.predict(batch).flatten()
        rising = output[batch["source"].flatten().argsort()]
        assert (rising.diff() >= -1e-3).all()
    method.scope = "image"
    got = method.predict(batch).flatten().quantile(torch.linspace(0, 1, 9))
    wanted = cases.train["target"].flatten().quantile(torch.linspace(0, 1, 9))
    assert torch.allclose(got, wanted, atol=25)


def test_a_fresh_histogram_matching_has_forgotten_its_curves(cases):
    method = HistogramMatching().fresh(cases.facts)
    method.prepare(cases.train)
    method.fresh(cases.facts)
    with pytest.raises(CourseError, match="prepare"):
        method.predict(cases.test.tensors)
