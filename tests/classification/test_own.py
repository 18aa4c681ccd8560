"""Classification of the user's own images."""

import pytest
import torch

from course_lib.data.own.kinds import Pictures
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.methods.classification.resnet_baseline import ResNetBaseline
from course_lib.tasks.base import Plan
from course_lib.tasks.classification import own
from tests.classification.example import labelled


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 12)])
def test_own_labelled_images_go_through_the_whole_way(tmp_path, shape):
    splits = own.own_cases(labelled(tmp_path, shape), "smoke", 0)
    assert not set(splits.train.subject) & set(splits.test.subject)
    assert "unverified" in splits.test.provenance["image"]
    batch = own.QUESTION.sample(splits.train, "smoke", 4, torch.Generator().manual_seed(0))
    assert batch["image"].shape == (4, 1, *shape)
    method = ResNetBaseline()
    fit(method, own.QUESTION, splits, profile="smoke", seed=0, plan=Plan(2, 4, 1), progress=False)
    prediction = predict(method, splits.test)
    scores = own.QUESTION.score(prediction, splits.test.tensors, splits.facts)
    assert prediction.shape == (6, 3)
    assert scores["auc"].isfinite().all() and set(scores) == set(own.QUESTION.of(splits.facts).metrics)
    assert splits.facts.class_names == ("a", "b", "c") and splits.facts.dims == len(shape)
    panels = own.QUESTION.pictures(prediction, splits.test.tensors, splits.facts)
    assert panels["input"].values.shape == (6, 12, 12)


def test_own_data_that_do_not_fit_say_so(tmp_path):
    pictures = Pictures(tmp_path, "", "", images=(), names=(), subjects=())
    with pytest.raises(CourseError, match="classification needs"):
        own.own_cases(pictures, "smoke", 0)
    with pytest.raises(CourseError, match="several labels"):
        own.own_cases(labelled(tmp_path, several=True), "smoke", 0)
