"""Classification of the user's own images."""

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, recall_score

from course_lib.data.own import read
from course_lib.data.own.kinds import Pictures
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.methods.classification.resnet_baseline import ResNetBaseline
from course_lib.tasks.base import Plan
from course_lib.tasks.classification import own
from course_lib.tasks.detection import own as detection
from tests.classification.example import labelled
from tests.own_pictures import picture, save


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
    assert scores["auc"].isfinite().all() and set(scores) == set(
        own.QUESTION.of(splits.facts).metrics
    )
    assert splits.facts.class_names == ("a", "b", "c") and splits.facts.dims == len(shape)
    panels = own.QUESTION.pictures(prediction, splits.test.tensors, splits.facts)
    assert panels["input"].values.shape == (6, 12, 12)


def test_own_data_that_do_not_fit_say_so(tmp_path):
    pictures = Pictures(tmp_path, "", "", images=(), names=(), subjects=())
    with pytest.raises(CourseError, match="classification needs"):
        own.own_cases(pictures, "smoke", 0)
    with pytest.raises(CourseError, match="several labels"):
        own.own_cases(labelled(tmp_path, several=True), "smoke", 0)


def test_all_test_images_are_used_and_a_published_set_is_called_so(tmp_path):
    data = labelled(tmp_path)
    splits = own.own_cases(data, "class", 0)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [12, 6, 6]
    assert set(splits.test.group) == {"test images of your own"}
    assert "Used: all 12 images to train, all 6 to validate, all 6 to test." in splits.notes
    published = own.own_cases(replace(data, published="toymnist"), "class", 0)
    assert set(published.test.group) == {"published test set of toymnist"}


def test_accuracy_and_the_recall_of_each_class_by_its_name(tmp_path):
    splits = own.own_cases(labelled(tmp_path), "class", 0)
    label = splits.test["label"]
    guess = torch.eye(3)[torch.where(label == 2, 1, label)]  # every c is called b
    scores = own.QUESTION.score(guess, splits.test.tensors, splits.facts)
    metrics = own.QUESTION.of(splits.facts).metrics
    assert metrics["recall_c"].name == "Recall of c"
    assert scores["accuracy"].mean() == pytest.approx(accuracy_score(label, guess.argmax(1)))
    recalls = recall_score(label, guess.argmax(1), average=None)
    found = [float(scores[f"recall_{name}"].nanmean()) for name in "abc"]
    assert found == pytest.approx(recalls.tolist()) == [1, 1, 0]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_of_one_class_is_refused_before_training(tmp_path, part):
    data = labelled(tmp_path)
    data.labels[part][:] = 1
    with pytest.raises(CourseError, match=f"All .* {part} images .* of the class b"):
        own.own_cases(data, "class", 0)


def test_pictures_of_many_sizes_come_to_one_and_keep_their_shape(tmp_path):
    for k in range(12):
        save(tmp_path / "ab"[k % 2] / f"{'ab'[k % 2]}{k}.png", picture(k, 40 + k, 90))
    splits = own.own_cases(read(f"path:{tmp_path}"), "class", 0)
    assert splits.train["image"].shape[1:] == (3, 64, 64)
    assert (splits.train["image"][:, :, :8] == 0).all()  # wide ones have a margin above
    assert "The longer side of the pictures is 64 instead of 90 pixels." in splits.notes


def test_words_of_own_data_name_no_nodule():
    for question in (own.QUESTION, detection.QUESTION):
        words = [question.title, *(m.text for m in question.metrics.values())]
        assert not [w for w in words if "nodule" in w or "lung" in w]
