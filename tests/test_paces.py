"""Seconds of a plan, and the steps that measured paces make of them."""

from dataclasses import replace

import pytest

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.catalogue import paces

PLACE, PROFILES = ("denoising", "chest_ct"), ("class", "long", "full")


@pytest.fixture
def measured(monkeypatch):
    """A table of two methods."""
    table = {"class": {"denoising/*": {"red_cnn": [0.0411, 1.7], "wgan_vgg": [0.21, 0]}}}
    monkeypatch.setattr(paces, "table", lambda: table)
    return table["class"]["denoising/*"]


def steps(method, profile="class", **options):
    return paces.plan(*PLACE, method, profile, options).steps


def test_steps_are_seconds_by_the_pace_to_two_digits(measured):
    plan = paces.plan(*PLACE, "red_cnn", "class")
    assert plan.steps == 1500  # 60 / 0.0411 = 1460
    assert plan.evaluations == 3, "3 · 1.7 s are under a tenth of 60 s, 4 are not"
    assert paces.plan(*PLACE, "wgan_vgg", "class").evaluations == 8, "what the plan allows at most"


def test_without_a_pace_the_plans_own_steps_hold(measured, monkeypatch):
    own = catalogue.question(*PLACE).plan("class")
    assert steps("cnn_dae") == own.steps
    assert steps("red_cnn", "smoke") == catalogue.question(*PLACE).plan("smoke").steps
    assert steps("red_cnn", "class@1234") == 1234
    assert paces.plan("denoising", "path:mine", "red_cnn", "class").steps == own.steps
    monkeypatch.setattr(paces, "table", dict)
    assert steps("red_cnn") == own.steps


def test_a_variant_has_a_pace_of_its_own_and_other_options_do_not_change_the_steps(measured):
    name, options = next(iter(catalogue.entry("wgan_vgg").variants.items()))
    assert steps("wgan_vgg", **options) == steps("wgan_vgg") == 290
    measured[f"wgan_vgg: {name}"] = [0.1, 0.1]
    assert steps("wgan_vgg", **options) == 600
    assert steps("red_cnn", width=16) == steps("red_cnn")


def test_steps_belong_to_a_jobs_key(measured):
    job = Job(*PLACE[:1], "red_cnn", PLACE[1], "class", 0)
    before = job.key()
    measured["red_cnn"] = [0.0412, 1.0]
    assert job.key() == before, "as many steps, to two digits"
    measured["red_cnn"] = [0.08, 1.0]
    assert job.key() != before


def test_precision_belongs_to_a_jobs_key_where_it_is_not_float32(monkeypatch):
    from course_lib import device
    from course_lib.methods.denoising.cnn_dae import CNNDAE

    job = Job("denoising", "cnn_dae", "chest_ct", "class", 0)
    monkeypatch.setattr(device, "has_half", lambda which: True)
    monkeypatch.setattr(CNNDAE, "mixed", False)
    plain = job.key()
    monkeypatch.setattr(CNNDAE, "mixed", True)
    assert job.precision() == "bfloat16" and job.key() != plain
    monkeypatch.setenv("COURSE_PRECISION", "float32")
    assert job.precision() == "float32" and job.key() == plain


@pytest.mark.parametrize("entry", catalogue.METHODS, ids=lambda entry: entry.id)
@pytest.mark.parametrize("profile", ["long", "full"])
def test_options_nearer_to_the_paper_exist(entry, profile):
    options = entry.options_in(profile)
    assert options == entry.options_in(f"{profile}@20") and not entry.options_in("class")
    if options:
        made = catalogue.build(entry.id, **options)
        assert all(getattr(made, name) == value for name, value in options.items())


def test_a_job_is_made_with_its_profiles_options_and_its_own_over_them():
    minute, quarter, gpu = (Job(*PLACE[:1], "red_cnn", PLACE[1], p, 0) for p in PROFILES)
    assert minute.built_with == {} != quarter.built_with != gpu.built_with == {"width": 96}
    own = replace(quarter, options={"width": 8})
    assert own.built_with == {"width": 8}
    assert len({job.key() for job in (minute, quarter, gpu, own)}) == 4


def test_long_trains_longer_on_the_cases_of_a_minute():
    question = catalogue.question(*PLACE)
    minute, quarter = (question.plan(profile) for profile in PROFILES[:2])
    assert (minute.seconds, quarter.seconds) == (60, 900) and quarter.steps > 10 * minute.steps
    short, long = (question.make(PLACE[1], profile, 0) for profile in PROFILES[:2])
    assert short.test.case == long.test.case and short.train.case == long.train.case


@pytest.mark.parametrize("section", catalogue.SECTIONS)
def test_every_profile_has_its_plan_in_every_question(section):
    for question in catalogue.questions(section):
        assert [*question.plans] == ["smoke", *PROFILES], question.id
        assert question.plans["class"].seconds == 60 and question.plans["long"].seconds == 900
