"""The user's own labelled images."""

from dataclasses import replace

import pytest
import torch

from course_lib import catalogue
from course_lib.data.own import Scans
from course_lib.errors import CourseError
from course_lib.tasks.augmentation import malignancy, own
from tests.augmentation.example import labelled


def test_images_become_patches_of_two_classes():
    splits = own.own_cases(labelled(classes=2, channels=3), "smoke", 0)
    assert splits.train["image"].shape[1:] == (1, 32, 32)
    assert splits.train["image"].min() >= -1000 and splits.train["image"].max() <= 400
    assert splits.train["label"].float().mean() == 0.5
    assert not set(splits.train.subject) & set(splits.test.subject)
    assert splits.facts.classes == ("a", "b") and not splits.facts.hounsfield
    three = own.own_cases(labelled(classes=3), "smoke", 0)
    assert set(three.test["label"].tolist()) == {0, 1}
    assert three.facts.classes == ("a", "all others")


def test_the_most_frequent_class_is_told_from_all_others():
    data = labelled(classes=3)
    labels = {name: (known > 0).astype(known.dtype) + 1 for name, known in data.labels.items()}
    splits = own.own_cases(replace(data, labels=labels), "smoke", 0)
    assert splits.facts.classes == ("c", "all others")
    bright = splits.test["image"].mean((1, 2, 3))
    assert bright[splits.test["label"] == 1].max() < bright[splits.test["label"] == 0].min()


def test_who_makes_pictures_takes_them_and_who_looks_for_anomalies_does_not():
    entry = catalogue.entry
    assert catalogue.fits(entry("liver_dcgan"), "path:own.npz")
    assert not catalogue.fits(entry("anogan"), "path:own.npz")
    question = catalogue.question("augmentation", "path:own.npz")
    assert question is own.QUESTION and question.metrics == malignancy.QUESTION.metrics


def test_pictures_of_no_scanner_are_not_called_hu():
    splits = own.own_cases(labelled(), "smoke", 0)
    batch = splits.test.tensors
    panels = own.QUESTION.pictures({"generated": batch["image"]}, batch, splits.facts)
    assert {panel.unit for panel in panels.values()} == {""}


def test_data_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(CourseError, match="one class"):
        own.own_cases(labelled(classes=1), "smoke", 0)
    data = labelled()
    several = {name: torch.eye(3)[known].numpy() for name, known in data.labels.items()}
    with pytest.raises(CourseError, match="several labels"):
        own.own_cases(replace(data, labels=several), "smoke", 0)
    solid = {name: images[:, :, None] for name, images in data.images.items()}
    with pytest.raises(CourseError, match="volumes"):
        own.own_cases(replace(data, images=solid), "smoke", 0)
    with pytest.raises(CourseError, match="MedMNIST"):
        own.own_cases(Scans(tmp_path, "own", "own", ()), "smoke", 0)
