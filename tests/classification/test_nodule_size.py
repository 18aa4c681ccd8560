"""The ruler."""

import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.fit import predict
from tests.classification.example import facts


def test_the_ruler_counts_the_outline_and_nothing_else(cases):
    ruler = catalogue.build("nodule_size").fresh(cases.facts)
    ruler.prepare(cases.train)
    batch = cases.test.tensors
    before = ruler.predict(batch)
    area = batch["mask"].flatten(1).sum(1)
    assert before[area.argsort(stable=True), 1].diff().min() >= 0  # larger is more suspicious
    assert torch.equal(ruler.predict(batch | {"image": 0 * batch["image"]}), before)
    volume = ruler.fresh(facts(dims=3, pixel_mm=2.0)).logarithm({"mask": torch.ones(1, 1, 3, 4, 5)})
    assert volume.exp().item() == pytest.approx(60 * 8)
    drawn = catalogue.build("nodule_size", outline="threshold").fresh(cases.facts)
    drawn.prepare(cases.train)
    assert torch.equal(drawn.predict(batch | {"mask": 0 * batch["mask"]}), drawn.predict(batch))
    with pytest.raises(CourseError, match="readers"):
        catalogue.build("nodule_size", outline="mine")


def test_a_ruler_that_has_learnt_nothing_says_so(cases):
    with pytest.raises(CourseError, match="fit it first"):
        predict(catalogue.build("nodule_size"), cases.test)
