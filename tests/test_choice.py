"""Which jobs a bench is made of."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.benchmark import choice
from course_lib.benchmark.job import Job
from course_lib.benchmark.leaderboard import sections
from course_lib.cli import course
from course_lib.errors import CourseError
from tests import synthetic_records


def plan(task, methods=(), **more):
    return choice.planned([task], methods, None, (), "smoke", 1, **more)


def test_options_are_swept_in_all_combinations():
    options = choice.swept(["width=8,16", "adversarial=0"])
    assert options == [{"width": 8, "adversarial": 0}, {"width": 16, "adversarial": 0}]
    jobs = plan("denoising", options=choice.swept(["width=8,16"]))
    having = {e.id for e in catalogue.methods("denoising") if "width" in catalogue.options(e.id)}
    assert {"cnn_dae", "red_cnn"} < {job.method for job in jobs} == having
    assert [job.options for job in jobs if job.method == "red_cnn"] == [{"width": 8}, {"width": 16}]
    for bad in ("width", "=8", "width="):
        with pytest.raises(CourseError, match="NAME=VALUE"):
            choice.swept([bad])


def test_an_option_that_nobody_has_is_refused():
    with pytest.raises(CourseError, match="has the options depth_of_field"):
        plan("denoising", options=[{"depth_of_field": 1}])
    with pytest.raises(CourseError, match="which was not chosen"):
        plan("denoising", ["voxelmorph"])


def test_variants_are_jobs_and_rows_of_their_own():
    variants = catalogue.entry("wgan_vgg").variants
    jobs = plan("denoising", ["wgan_vgg"], variants=True)
    assert [job.options for job in jobs] == [{}, *map(dict, variants.values())]
    for options in variants.values():
        catalogue.build("wgan_vgg", **options)


@pytest.mark.parametrize("entry", [e for e in catalogue.METHODS if e.variants], ids=lambda e: e.id)
def test_every_variant_can_be_built_and_differs_from_its_method(entry):
    defaults = catalogue.options(entry.id)
    for name, options in entry.variants.items():
        catalogue.build(entry.id, **options)
        assert any(defaults[key] != value for key, value in options.items()), name
    settings = [sorted(options.items()) for options in entry.variants.values()]
    assert all(settings.count(one) == 1 for one in settings)


def test_rows_are_named_after_variants_or_options(tmp_path):
    records = synthetic_records.records(tmp_path, seeds=1, fail=False)
    method = records[0]["job"]["method"]
    known = synthetic_records.catalogue()
    known[method] = known[method] | {"variants": {"without a critic": {"adversarial": 0.0}}}
    for options, ending in (
        ({}, known[method]["name"]),
        ({"adversarial": 0.0}, ", without a critic"),
        ({"adversarial": 0.5}, " (adversarial=0.5)"),
    ):
        changed = records[0] | {"job": records[0]["job"] | {"options": options}}
        (section,) = sections([changed], known)
        assert section.boards[0].rows[0].name.endswith(ending)


def test_help_explains_sweeps_and_variants():
    text = CliRunner().invoke(course, ["bench", "--help"]).output
    assert "NAME=VALUE,…" in text and "--variants" in text
    result = CliRunner().invoke(course, ["run", "denoising", "wgan_vgg", "--variant", "no such"])
    assert "features only" in str(result.exception)


def test_without_a_data_set_another_is_taken():
    assert choice.default_dataset("denoising", "median") == "chest_ct+lung_tumours"
    assert choice.default_dataset("denoising", "median", ("lung_tumours",)) == "chest_ct"
    with pytest.raises(CourseError, match="no data set for median filter without chest_ct"):
        choice.default_dataset("denoising", "median", ("chest_ct",))


@pytest.mark.parametrize("task", catalogue.SECTIONS)
def test_every_leaderboard_of_the_bench_has_a_baseline(task):
    known = catalogue.methods(task)
    pairs = [(e.id, choice.default_dataset(task, e.id)) for e in known]
    more = choice.lacking_baselines(known, pairs)
    assert len(set(pairs + more)) == len(pairs) + len(more)
    with_baseline = {dataset for name, dataset in pairs + more if catalogue.entry(name).baseline}
    assert with_baseline >= {dataset for _, dataset in pairs}
    assert all(catalogue.fits(catalogue.entry(name), dataset) for name, dataset in more)


def test_a_method_is_not_asked_what_it_cannot_answer(monkeypatch):
    picky = replace(catalogue.entry("median"), datasets=("chest_ct",))
    monkeypatch.setattr(catalogue, "entry", lambda name: picky)
    assert choice.default_dataset("denoising", "median") == "chest_ct"
    with pytest.raises(CourseError, match=r"another question.*chest_ct"):
        Job("denoising", "median", "chest_ct+lung_tumours", "smoke", 0).check()
