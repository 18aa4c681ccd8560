"""The random forest on local features."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.methods.translation.regression_forest import RegressionForest, features
from course_lib.tasks.translation import ct_from_mr


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_forest_learns_from_pairs_and_predicts_known_values_only(cases):
    method = RegressionForest().fresh(cases.facts)
    with pytest.raises(CourseError, match="prepare"):
        method.predict(cases.test.tensors)
    method.prepare(cases.train)
    output = method.predict(cases.test.tensors)
    seen = cases.train["target"]
    assert output.min() >= seen.min() and output.max() <= seen.max()
    assert (ct_from_mr.score(output, cases.test.tensors, cases.facts)["psnr"] > 20).all()
    assert method.forest.n_jobs == 1
    method.fresh(cases.facts)
    assert method.forest is None and method.known is None, "a fresh forest has seen nothing"


def test_forest_features_are_local(cases):
    batch = cases.test.batch(slice(0, 2))
    before = features(batch["source"], cases.facts.source_range)
    spoiled = batch["source"].clone()
    spoiled[1] = 0
    after = features(spoiled, cases.facts.source_range)
    assert before.shape == (2, 48, 48, 13) and torch.equal(before[0], after[0])
