"""Curriculum learning: which cases are drawn when."""

from dataclasses import replace

import pytest
import torch

from course_lib import catalogue, device
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.methods.classification import curriculum_learning as curriculum
from course_lib.tasks.base import Plan


def test_difficulty_and_pace_are_separate_and_the_pace_reaches_everything(cases):
    pace = curriculum.LinearPace(0.3, 0.6)
    assert [round(pace(t), 3) for t in (0, 0.3, 0.6, 1)] == [0.3, 0.65, 1, 1]
    difficulty = curriculum.disagreement(cases.train)
    far = (cases.train["malignancy"] - 3).abs()
    assert torch.equal(difficulty.argsort(stable=True), (-far).argsort(stable=True))
    teacher = curriculum.teacher_loss(cases.train)
    assert teacher.shape == difficulty.shape and (teacher >= 0).all() and teacher.std() > 0


@pytest.mark.parametrize("order", curriculum.ORDERS)
def test_orders_draw_equally_many_cases_of_both_classes(cases, order):
    with device.seeded(0):
        method = curriculum.CurriculumLearning(order).fresh(cases.facts)
        method.begin("train", cases.train)
    pools = [drawable(method, cases.train, done) for done in (0.0, 0.3, 0.6)]
    assert [len(p) for p in pools] == [round(s * len(cases.train)) for s in (0.3, 0.65, 1)]
    assert set(pools[0].case) < set(pools[1].case) and pools[2] is cases.train
    assert 0 < pools[0]["label"].float().mean() < 1
    hard = curriculum.disagreement(cases.train)
    inside = curriculum.disagreement(pools[0]).mean()
    if order != "random":
        assert (inside < hard.mean()) == (order == "easy")


def test_the_loop_draws_from_the_easy_cases_and_makes_as_many_updates(cases):
    drawn = []

    def sample(train, profile, count, generator):
        drawn.append(len(train))
        return plain.sample(train, profile, count, generator)

    plain = catalogue.question("classification", "nodules/300")
    watched = replace(plain, sample=sample)
    method = curriculum.CurriculumLearning()
    plan = Plan(steps=5, batch=2, evaluations=1)
    history = fit(method, watched, cases, profile="smoke", seed=0, plan=plan, progress=False)
    assert history.steps == 5 and len(drawn) == 5
    assert drawn[0] == round(0.3 * len(cases.train)) and drawn[-1] == len(cases.train)
    assert drawn == sorted(drawn)


def drawable(method, train, done):
    """The cases that may be drawn once a share `done` of the steps is behind."""
    method.done, method.change = done, None
    return method.draw(train, lambda cases, count: cases, 4)


def test_the_easy_cases_are_put_together_once_and_forgotten_with_the_training(cases):
    method = curriculum.CurriculumLearning().fresh(cases.facts)
    method.begin("train", cases.train)
    first, again = (drawable(method, cases.train, done) for done in (0.0, 0.0001))
    assert first is again is not drawable(method, cases.train, 0.3)
    method.fresh(cases.facts)
    assert method.easiest is None and not method.ranking


def test_what_no_reader_rated_a_teacher_ranks(cases):
    method = curriculum.CurriculumLearning().fresh(cases.facts | {"rated": False})
    method.begin("train", replace(cases.train, facts=cases.facts | {"rated": False}))
    easy = drawable(method, cases.train, 0.0)
    loss = dict(zip(cases.train.case, curriculum.teacher_loss(cases.train), strict=True))
    inside = torch.stack([loss[name] for name in easy.case])
    assert inside.mean() < torch.stack(list(loss.values())).mean()


def test_a_pace_has_to_be_one():
    with pytest.raises(CourseError, match="'odd'; there are: easy, random, hard"):
        curriculum.CurriculumLearning("odd")
    for options in ({"start": 0.0}, {"full_at": 0.0}, {"full_at": 1.5}):
        with pytest.raises(CourseError, match="above 0 and up to 1, not"):
            curriculum.CurriculumLearning(**options)
