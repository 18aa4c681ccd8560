"""Who is asked about cases does not see the answers, and what no answer could score is refused."""

import json
from dataclasses import replace

import jsonschema
import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.benchmark.job import Job, can_be_scored, compute
from course_lib.benchmark.panels import write_pictures
from course_lib.benchmark.store import write_json
from course_lib.cases import Cases, Facts
from course_lib.errors import CourseError
from course_lib.files import PACKAGE
from course_lib.fit import evaluate, fit, predict
from course_lib.lesson import results
from course_lib.methods.asking import ask
from course_lib.methods.base import Classical, Method
from course_lib.tasks.base import Field, Metric, Plan, Question, Splits
from tests.cases import kinds, smoke_splits

ASKED = [
    pytest.param(section, question, dataset, id=f"{section}-{question.id}")
    for section in catalogue.SECTIONS
    for question in catalogue.questions(section)
    for dataset in list(question.sources)[:1]
]
READERS = {"nodule_size", "radiomics_ml"}
"""Methods that ask for the readers' outline of a test case."""


@pytest.mark.parametrize(("section", "question", "dataset"), ASKED)
def test_every_question_marks_its_answers_and_knows_one_that_can_be_scored(
    section, question, dataset
):
    splits = question.marked(smoke_splits(section, dataset))
    for cases in (splits.train, splits.validation, splits.test):
        assert cases.answers == {name for name, f in question.fields.items() if f.answer}
        assert cases.answers & set(splits.test.tensors)
        assert not cases.answers & cases.privileged
        assert cases.subset([0]).answers == cases.answers
    can_be_scored(question, splits, dataset)


@pytest.mark.parametrize("section", catalogue.SECTIONS)
def test_what_make_returns_is_marked(section):
    question, dataset = next(catalogue.questions(section)), next(iter(catalogue.datasets(section)))
    assert question.make(dataset, "smoke", 0).test.answers
    assert replace(question, fields={}).make(dataset, "smoke", 0).test.answers == frozenset()


@pytest.mark.parametrize("section", catalogue.SECTIONS)
def test_every_method_answers_without_the_answers(section):
    for entry in catalogue.methods(section):
        for question, dataset in list(kinds(entry))[:1]:
            splits = question.marked(smoke_splits(section, dataset))
            test, method = splits.test.subset([0, 1]), catalogue.build(entry.id)
            method.fresh(splits.facts)
            if isinstance(method, Classical):
                method.prepare(splits.train)
                method.set(method.grid[0])
            else:
                method.begin(method.stage, splits.train)
            bare = {n: v for n, v in test.tensors.items() if n not in test.answers}
            _, asked = ask(method, replace(test, tensors=bare))
            assert bool(asked) == (entry.id in READERS), entry.id


class Line(Method):
    """y = a x; or what it is told."""

    def __init__(self, told=None):
        super().__init__()
        self.told_by = told

    def build(self, facts):
        self.a = nn.Parameter(torch.zeros(()))

    def predict(self, batch):
        return batch[self.told_by] if self.told_by else self.a * batch["x"]

    def losses(self, batch):
        yield "network", (self.a * batch["x"] - batch["y"]).square().mean()


class Blind(Classical):
    def predict(self, batch):
        return torch.zeros_like(batch["x"])


def line(count=6, **facts):
    x = torch.arange(count, dtype=torch.float32)[:, None]
    return Cases(
        {"x": x, "y": 3 * x, "hand": 3 * x},
        [f"{k}" for k in range(count)],
        ["a"] * count,
        ["test"] * count,
        torch.ones(count, 1),
        facts=Facts(**facts),
    )


def score(prediction, batch, facts):
    error = (prediction - batch["y"]).square()[:, 0]
    return {"psnr": -10 * torch.log10(error).where(batch["y"][:, 0] >= 0, torch.nan)}


SPLITS = Splits(line(), line(), line())
LINE = Question(
    id="line",
    title="A line",
    fields={
        "x": Field("N 1", "", "where"),
        "y": Field("N 1", "", "how high", answer=True),
        "hand": Field("N 1", "", "how high, measured by hand", privileged=True),
    },
    facts={},
    headline="psnr",
    metrics={"psnr": Metric("dB", "higher", "How near.")},
    sources={"line": ()},
    plans={"smoke": Plan(4, 2, 1)},
    make=lambda dataset, profile, seed: SPLITS,
    sample=lambda cases, profile, count, generator: cases.batch(slice(0, count)),
    score=score,
    pictures=lambda prediction, batch, facts: {},
    truth=lambda batch, facts: batch["y"],
)


def test_who_reads_an_answer_is_told_so_and_who_asks_a_reader_is_marked():
    test = LINE.make("line", "smoke", 0).test
    with pytest.raises(CourseError, match=r"Line reads 'y' in `predict`.*It may read: hand, x"):
        predict(Line("y"), test)
    assert ask(Line(), test)[1] == frozenset()
    assert ask(Line("hand"), test)[1] == {"hand"}
    with pytest.raises(KeyError, match="nonsense"):
        predict(Line("nonsense"), test)


def test_training_sees_answers_and_validation_does_not():
    fit(Line(), LINE, SPLITS, profile="smoke", seed=0, progress=False)
    with pytest.raises(CourseError, match="reads 'y'"):
        fit(Line("y"), LINE, SPLITS, profile="smoke", seed=0, progress=False)


def test_a_method_is_not_asked_about_data_of_other_facts():
    method = Line().fresh(Facts(channels=1))
    assert len(predict(method, line(channels=1))) == 6
    with pytest.raises(CourseError, match="channels: 1, not 3"):
        predict(method, line(channels=3))
    with pytest.raises(CourseError, match="'none', not 'HU'"):
        predict(method, line(channels=1, unit="HU"))


def test_a_perfect_score_is_a_score():
    scores = evaluate(Line("hand"), LINE, LINE.make("line", "smoke", 0).test)
    assert scores["psnr"] == float("inf")


def test_a_test_that_no_answer_could_score_is_refused_before_training():
    nothing = line()
    nothing["y"][:] = -1.0
    with pytest.raises(CourseError, match="psnr is defined for none of the 6 test cases of mine"):
        can_be_scored(LINE, replace(SPLITS, test=nothing), "mine")
    can_be_scored(LINE, SPLITS, "mine")


@pytest.mark.parametrize(
    ("section", "dataset", "emptied"),
    [
        ("segmentation", "brain_tissue", {"label": 0}),
        ("classification", "nodules/30", {"label": 1}),
        ("detection", "chest_ct/nodules", {"labels": -1}),
        ("augmentation", "anomaly", {"label": 0}),
        ("registration", "brain_2d/between_donors", {"fixed_points": torch.nan}),
        ("frontier", "weak_labels/5_masks", {"label": 0}),
    ],
)
def test_built_in_questions_refuse_a_test_that_shows_nothing(section, dataset, emptied):
    question, splits = catalogue.question(section, dataset), smoke_splits(section, dataset)
    gone = {name: torch.full_like(splits.test[name], value) for name, value in emptied.items()}
    test = replace(splits.test, tensors=splits.test.tensors | gone)
    with pytest.raises(CourseError, match="nothing was trained"):
        can_be_scored(question, replace(splits, test=test), dataset)


@pytest.mark.parametrize(
    ("method", "options", "privileged"),
    [
        ("nodule_size", {}, True),
        ("nodule_size", {"outline": "threshold"}, False),
        ("majority", {}, False),
    ],
)
def test_the_record_says_whether_a_reader_was_asked(method, options, privileged):
    record, _ = compute(Job("classification", method, "nodules/30", "smoke", 0, options))
    assert record["privileged"] is privileged


def test_a_test_that_cannot_be_scored_costs_no_training(monkeypatch):
    question = catalogue.question("classification", "nodules/30")
    splits = question.make("nodules/30", "smoke", 0)
    one_class = splits.test.tensors | {"label": torch.zeros_like(splits.test["label"])}
    empty = replace(splits, test=replace(splits.test, tensors=one_class))
    asked = replace(question, make=lambda dataset, profile, seed: empty)
    monkeypatch.setattr(Job, "question", property(lambda job: asked))
    monkeypatch.setattr("course_lib.fit.fit", lambda *a, **k: pytest.fail("it was trained"))
    with pytest.raises(CourseError, match="each class at least once"):
        compute(Job("classification", "majority", "nodules/30", "smoke", 0))


def test_a_perfect_method_leaves_a_valid_record_that_reads_as_perfect(tmp_path):
    record, _ = compute(Job("denoising", "noisy_input", "chest_ct", "smoke", 0))
    for case in record["cases"]:
        case["scores"]["psnr"] = float("inf")
    write_json(tmp_path / "record.json", record | {"pictures": None})
    text = (tmp_path / "record.json").read_text("utf-8")
    schema = json.loads((PACKAGE / "benchmark" / "record.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(text), schema)
    assert '"psnr": "inf"' in text
    assert results.mean_scores(record)["psnr"] == float("inf")


def test_a_lesson_shows_what_has_no_score(tmp_path):
    """Where a headline is undefined all the same, the picture is the first case's."""
    record, panels = compute(Job("denoising", "noisy_input", "chest_ct", "smoke", 0))
    for case in record["cases"]:
        case["scores"]["psnr"] = None
    record["pictures"] = write_pictures(panels, record["cases"], tmp_path)
    first = min(case["case"] for case in record["cases"])
    shown = results.strip(record, tmp_path)
    assert f"{first}, the median test case: PSNR (dB) = undefined" in shown.alt
    row = {"step": 1, "seconds": 1.0, "losses": {"network": 1.0}, "validation": {"psnr": None}}
    assert "undefined" in results.curve(record | {"curve": [row, row]}).alt
