"""Properties of all questions: their contracts, their data sets, their leaderboards' baselines."""

import pytest
import torch

from course_lib import catalogue
from course_lib.benchmark.checks import CheckError
from course_lib.benchmark.contract import keeps_its_contract
from course_lib.files import PACKAGE
from tests.cases import smoke_splits

ASKED = [
    pytest.param(section, question, dataset, id=f"{section}-{question.id}-{dataset}")
    for section in catalogue.SECTIONS
    for question in catalogue.questions(section)
    if not question.asked_of  # it has tests of its own
    for dataset in (question.kinds or list(question.sources)[:1])
]


@pytest.mark.parametrize(("section", "question", "dataset"), ASKED)
def test_cases_and_batches_keep_the_contract(section, question, dataset):
    splits = smoke_splits(section, dataset)
    generator = torch.Generator().manual_seed(0)
    batch = question.sample(splits.train, "smoke", 3, generator)
    keeps_its_contract(question, splits, batch)


def people(cases, keep=lambda group: True):
    """The subjects of cases; a case of two, `a + b`, counts for both."""
    pairs = zip(cases.subject, cases.group, strict=True)
    return {person for both, group in pairs if keep(group) for person in both.split(" + ")}


@pytest.mark.parametrize(("section", "question", "dataset"), ASKED)
def test_who_is_tested_is_in_no_other_part_unless_the_group_says_so(section, question, dataset):
    splits = smoke_splits(section, dataset)
    tested = people(splits.test, lambda group: not group.startswith("same patient"))
    assert not tested & (people(splits.train) | people(splits.validation))
    assert not set(splits.test.case) & set(splits.train.case + splits.validation.case)


@pytest.mark.parametrize("section", catalogue.SECTIONS)
def test_every_question_has_a_file_and_no_data_set_two_questions(section):
    found = list(catalogue.questions(section))
    assert [question.id for question in found] == list(catalogue.section(section).questions)
    # Two questions may share the user's own data where one says of which kind it asks.
    datasets = [d for question in found if not question.asked_of for d in question.sources]
    assert len(datasets) == len(set(datasets))
    files = (PACKAGE / "tasks" / section).glob("*.py")
    asking = {f.stem for f in files if "\nQUESTION = " in f.read_text("utf-8")}
    assert asking == {question.id for question in found}


@pytest.mark.parametrize("section", catalogue.SECTIONS)
def test_questions_explain_their_fields_facts_and_metrics(section):
    for question in catalogue.questions(section):
        assert question.headline in question.metrics
        assert all(metric.text for metric in question.metrics.values())
        assert all(field.text and field.shape for field in question.fields.values())
        assert all(question.facts.values())


def test_a_broken_contract_is_noticed():
    from dataclasses import replace

    question = catalogue.question("denoising", "chest_ct")
    splits = smoke_splits("denoising", "chest_ct")
    batch = question.sample(splits.train, "smoke", 3, torch.Generator().manual_seed(0))
    for name, change in (
        ("shape", {"shape": "N 2 H W"}),
        ("unnamed", {"where": ()}),
        ("dtype", {"dtype": "int64"}),
    ):
        field = replace(question.fields["low_dose"], **change)
        broken = replace(question, fields={**question.fields, "low_dose": field})
        with pytest.raises(CheckError, match="low_dose"):
            keeps_its_contract(broken, splits, batch)
        assert name
    with pytest.raises(CheckError, match="facts"):
        keeps_its_contract(replace(question, facts={}), splits, batch)
