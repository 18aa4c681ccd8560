"""The judge: the same whoever asks."""

import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.metrics.classification import auc
from course_lib.parts.augment import NOTHING
from course_lib.parts.augmentation import downstream


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def prepared(name, labelled, **options):
    method = catalogue.build(name, **options).fresh(labelled.facts)
    method.prepare(labelled.train)
    return method


def test_the_judge_is_the_same_whoever_asks(labelled, quick):
    """Methods that hand it the same pictures get the same answer: seeds, steps, batches."""
    first = prepared("no_augmentation", labelled)
    torch.manual_seed(5)
    second = prepared("classic_augmentation", labelled)
    second.change = NOTHING
    second.forget_judges()
    batch = labelled.test.batch(slice(0, 3))
    answers = [method.predict(batch)["probabilities"] for method in (first, second)]
    assert torch.equal(*answers)
    assert torch.allclose(answers[0].sum(1), torch.ones(3))


def test_the_judge_learns_and_never_sees_other_labels(labelled):
    method = prepared("no_augmentation", labelled)
    seen, wanted = method.judges_batch(rng())
    known = {tuple(x.flatten()[:40].tolist()) for x in labelled.train["image"]}
    assert {tuple(x.flatten()[:40].tolist()) for x in seen} <= known
    assert wanted.sum(0).tolist() == [16, 16]
    p = method.predict(labelled.train.tensors)["probabilities"][:, 1]
    assert auc(p, labelled.train["label"]) > 0.9


def test_the_answer_does_not_depend_on_the_batch(labelled, quick):
    method = prepared("no_augmentation", labelled)
    whole = method.predict(labelled.test.batch(slice(0, 4)))
    parts = [method.predict(labelled.test.batch(slice(k, k + 2))) for k in (0, 2)]
    for key in ("probabilities", "generated"):
        assert torch.allclose(whole[key], torch.cat([part[key] for part in parts]), atol=1e-5)


def test_all_arms_have_the_same_judge():
    names = ("no_augmentation", "classic_augmentation", "pca_sampler", "dcgan", "liver_dcgan")
    arms = [catalogue.build(name) for name in names]
    assert all(arm.judges.__func__ is downstream.Judged.judges for arm in arms)


def test_without_patches_the_judge_says_what_is_missing(labelled):
    method = catalogue.build("no_augmentation").fresh(labelled.facts)
    with pytest.raises(CourseError, match="fit"):
        method.predict(labelled.test.batch(slice(0, 1)))


@pytest.mark.parametrize(("side", "channels"), [(32, 1), (64, 3)])
def test_the_judge_fits_its_pictures(side, channels):
    network = downstream.classifier(side, channels)
    assert network(torch.zeros(2, channels, side, side)).shape == (2, 2)
