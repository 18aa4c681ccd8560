"""What does not belong: what is learnt from, what is shown, what the scores say."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.benchmark.job import Job
from course_lib.errors import CourseError
from course_lib.tasks.augmentation import anomaly, lung_patches


def test_training_is_healthy_and_lies_in_the_other_lung(healthy):
    assert set(healthy.train.tensors) == {"image"}, "nobody is told of a nodule"
    known = lung_patches.part("train", 6, 32)
    assert torch.equal(healthy.train["image"], known.healthy)
    assert set(healthy.train.subject) == {lung_patches.BACKGROUND}
    assert all(group.startswith("same patient") for group in healthy.test.group)


def test_test_places_are_shown_without_and_with_a_nodule(healthy):
    image, mask, label = (healthy.test[k] for k in ("image", "mask", "label"))
    assert torch.equal(label, torch.arange(len(label)) % 2)
    assert not mask[::2].any() and mask[1::2].flatten(1).amax(1).min() > 0
    change = (image[1::2] - image[::2]).abs()
    far = mask[1::2] == 0
    near = F.max_pool2d(mask[1::2], 3, 1, 1) > 0.5
    assert change[near].mean() > 20 * change[far].mean()
    assert healthy.test.subject[::2] == healthy.test.subject[1::2]


def test_a_batch_is_as_large_as_asked(healthy):
    generator = torch.Generator().manual_seed(0)
    assert len(anomaly.sample(healthy.train, "smoke", 7, generator)["image"]) == 7


def test_a_perfect_map_finds_every_pixel(healthy):
    batch = healthy.test.batch(slice(0, 4))
    prediction = {"score": batch["label"].float(), "map": batch["mask"]}
    scores = anomaly.score(prediction, batch, healthy.facts)
    assert scores["auc"].mean() == 1
    assert scores["pixel_auc"][::2].isnan().all() and (scores["pixel_auc"][1::2] > 0.99).all()
    assert set(scores) == set(anomaly.QUESTION.metrics)


def test_methods_answer_one_question_each():
    with pytest.raises(CourseError, match="another question"):
        Job("augmentation", "anogan", "malignancy", "smoke", 0).check()
    with pytest.raises(CourseError, match="another question"):
        Job("augmentation", "liver_dcgan", "anomaly", "smoke", 0).check()
