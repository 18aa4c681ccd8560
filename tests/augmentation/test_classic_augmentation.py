"""Classic augmentation: what is changed, and how often."""

import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError


def test_training_patches_only_are_changed(labelled, quick):
    method = catalogue.build("classic_augmentation", copies=2).fresh(labelled.facts)
    method.prepare(labelled.train)
    method.set({"strength": 1.0})
    assert len(method.real) == 2 * len(labelled.train)
    assert method.cases == len(labelled.train)  # the judge takes no more steps for copies
    before = labelled.test["image"].clone()
    method.predict(labelled.test.batch(slice(0, 2)))
    assert torch.equal(before, labelled.test["image"])


def test_each_kind_of_change_is_an_option():
    off = dict(flip=False, turn_degrees=0.0, shift_pixels=0.0, scale=0.0, shear=0.0, noise=0.0)
    for name in off:
        method = catalogue.build("classic_augmentation", **{name: off[name]})
        assert getattr(method.kinds, name) == off[name]
    with pytest.raises(CourseError, match="not -1"):
        catalogue.build("classic_augmentation", copies=-1)
