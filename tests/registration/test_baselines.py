"""Classical registration improves on nothing, by the score that ranks and by the images."""

from functools import lru_cache

import pytest
import torch

from course_lib import catalogue
from course_lib.fit import evaluate, fit, predict
from course_lib.tasks.base import Splits
from course_lib.tasks.registration import brain_pairs
from course_lib.tasks.registration import fields as task


def zero(batch):
    field = torch.zeros_like(batch["displacement"])
    return {"forward": field, "backward": field}


@pytest.mark.parametrize("name", ["demons", "ffd_ncc", "bspline", "affine"])
def test_baselines_improve_on_nothing(name, splits):
    cases = splits("registration", "brain_2d/known_fields").test.subset([0, 1])
    answers = zero(cases.tensors), predict(catalogue.build(name), cases)
    before, after = (
        task.score(answer, cases.tensors, cases.facts)["dissimilarity"] for answer in answers
    )
    assert after.mean() < 0.8 * before.mean()


SLICES = {
    "brain_2d/known_fields": ("t1", "t1"),
    "brain_t1_t2/known_fields": ("t1", "t2"),
}


@lru_cache
def few(dataset):
    """Pairs of training donors as large as in a class: mutual information needs many pixels."""
    cases = brain_pairs.known_fields(
        4, 2, 64, SLICES[dataset], brain_pairs.TRAIN, seed=0, site=brain_pairs.SITE
    )
    return Splits(cases.subset([]), cases.subset([0, 1]), cases.subset([2, 3]))


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        (entry.id, dataset)
        for entry in catalogue.methods("registration")
        for dataset in SLICES
        if entry.kind == "classical" and catalogue.fits(entry, dataset)
    ],
)
def test_no_baseline_is_worse_than_nothing_by_the_headline(name, dataset):
    """With its settings chosen on validation, on every data set that it is offered for."""
    question, splits = catalogue.question("registration", dataset), few(dataset)
    nothing, method = (catalogue.build(each) for each in ("identity", name))
    for each in (nothing, method):
        fit(each, question, splits, profile="class", seed=0, progress=False)
    before, after = (evaluate(m, question, splits.test)["tre_mm"] for m in (nothing, method))
    assert question.headline == "tre_mm" and after < 0.95 * before


def test_demons_are_not_asked_of_two_contrasts():
    assert not catalogue.fits(catalogue.entry("demons"), "brain_t1_t2/known_fields")
