"""Properties of all methods of all sections, on one data set of each kind that they answer."""

from functools import lru_cache

import pytest

from course_lib import catalogue
from course_lib.benchmark import checks
from course_lib.methods.base import Method
from tests.cases import kinds, smoke_splits, two_kinds


@lru_cache(maxsize=3)
def subject(method, dataset):
    """A method with cases to try it on; its one tiny training is shared by all checks."""
    entry = catalogue.entry(method)
    return checks.Subject(
        make=lambda: catalogue.build(method),
        question=catalogue.question(entry.section, dataset),
        splits=smoke_splits(entry.section, dataset),
        adversarial=entry.kind == "adversarial",
    )


def everything():
    """(method, data set), all of a method's in one group, so that one process runs them."""
    for entry in catalogue.METHODS:
        for _, dataset in kinds(entry):
            yield pytest.param(
                entry.id,
                dataset,
                id=f"{entry.section}-{entry.id}-{dataset}",
                marks=[pytest.mark.xdist_group(entry.id), pytest.mark.slow],
            )


def stages():
    for param in everything():
        method = catalogue.build(param.values[0])
        for stage in getattr(method, "stages", ()):
            yield pytest.param(
                *param.values, stage, id=f"{param.id}-{stage.name}", marks=param.marks
            )


@pytest.mark.parametrize(("method", "dataset"), everything())
@pytest.mark.parametrize("check", checks.EVERY_METHOD, ids=lambda check: check.__name__)
def test_every_method(check, method, dataset):
    about = subject(method, dataset)
    about.other = None
    if check is checks.a_second_training_starts_anew:
        others = [name for _, name in two_kinds(catalogue.entry(method)) if name != dataset]
        about.other = subject(method, others[0]) if others else None
    check(about)


@pytest.mark.parametrize(("method", "dataset", "stage"), stages())
@pytest.mark.parametrize("check", checks.EVERY_STAGE, ids=lambda check: check.__name__)
def test_every_stage_of_what_learns(check, method, dataset, stage):
    about = subject(method, dataset)
    if check is checks.the_loss_falls and about.adversarial:
        pytest.skip("players that play against each other need not lower a loss")
    check(about, stage)


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
def test_what_does_not_learn_is_a_baseline(entry):
    assert isinstance(catalogue.build(entry.id), Method) != entry.baseline
