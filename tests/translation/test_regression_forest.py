"""The random forest on local features."""

import numpy as np
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
    assert method.forest().n_jobs == 1


def test_forests_are_grown_once_for_each_size_of_leaf_and_forgotten_when_fresh(cases):
    method = RegressionForest().fresh(cases.facts)
    method.known = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200.0)
    first = method.forest()
    method.set({"leaf": 60})
    assert method.forest() is not first and method.forest().min_samples_leaf == 60
    method.set({"leaf": 15})
    assert method.forest() is first
    method.fresh(cases.facts)
    with pytest.raises(CourseError, match="prepare"):
        method.forest()


def test_forest_features_are_local(cases):
    batch = cases.test.batch(slice(0, 2))
    before = features(batch["source"], cases.facts.source_range)
    spoiled = batch["source"].clone()
    spoiled[1] = 0
    after = features(spoiled, cases.facts.source_range)
    assert before.shape == (2, 48, 48, 13) and torch.equal(before[0], after[0])
    bare = features(batch["source"], cases.facts.source_range, distances=False)
    assert torch.equal(bare, before[..., :11])


def test_forest_without_distances_asks_for_none(cases):
    method = RegressionForest(distances=False).fresh(cases.facts)
    method.prepare(cases.train)
    assert method.predict(cases.test.batch(slice(0, 1))).shape == (1, 1, 48, 48)
    assert method.forest().n_features_in_ == 11
