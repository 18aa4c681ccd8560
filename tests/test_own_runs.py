"""Jobs on one's own data and of one's own length, through the program: what was used is told before
training, recorded and shown, and trainings of another length have a ranking of their own."""

import json

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.benchmark import pace, wording
from course_lib.benchmark.job import Job
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.report import command
from course_lib.benchmark.store import Store
from course_lib.cli import course
from course_lib.errors import CourseError
from course_lib.files import PACKAGE
from tests.test_data_own import write_nifti

IDENTITY = ["run", "registration", "identity", "--profile", "smoke"]


@pytest.fixture
def folder(tmp_path):
    """Five small volumes."""
    place, draw = tmp_path / "mine", np.random.default_rng(0)
    for name in "abcde":
        write_nifti(place / f"{name}.nii.gz", draw.random((12, 14, 16), np.float32))
    return place


def run(*words):
    result = CliRunner().invoke(course, [*map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_what_was_used_is_told_recorded_and_shown(folder, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(folder)  # so that the store lies inside the data
    flags = ["--dataset", "path:.", "--unit", "a.u."]
    first = run(*IDENTITY, *flags)
    assert "done:" in first.output
    told = capfd.readouterr().err
    assert "data: Used: all 3 images to train" in told, "before the training, by the job itself"
    (record,) = Store(folder / "runs").records()
    schema = json.loads((PACKAGE / "benchmark" / "record.schema.json").read_text("utf-8"))
    jsonschema.validate(record, schema)
    assert any(note.startswith("Used: all 3 images to train") for note in record["notes"])
    assert record["job"]["dataset"] == f"path:{folder}?unit=a.u."
    again = run(*IDENTITY, *flags)
    assert "cached:" in again.output, "records are no data"
    assert "data: Used: all 3 images to train" in again.output
    run("report", "--profile", "smoke", "--out", tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "Used: all 3 images to train" in page and "What of the data was used" in page


def test_steps_are_a_profile_of_their_own(tmp_path):
    store = tmp_path / "store"
    words = ["run", "denoising", "red_cnn", "--dataset", "chest_ct", "--profile", "smoke"]
    run(*words, "--steps", 3, "--store", store)
    (record,) = Store(store).records()
    assert record["steps"] == 3 and record["job"]["profile"] == "smoke@3"
    assert "--profile smoke --steps 3" in command(record)
    assert "cached" in run(*words, "--steps", 3, "--store", store).output
    run(*words, "--store", store)
    found = sections(Store(store).records())
    assert {section.profile for section in found} == {"smoke", "smoke@3"}
    out = tmp_path / "report"
    run("report", "--store", store, "--profile", "smoke", "--out", out)
    assert "smoke, 3 steps" in (out / "index.html").read_text("utf-8")


def test_untrained_methods_say_that_steps_change_nothing(folder, tmp_path):
    words = [*IDENTITY, "--dataset", f"path:{folder}", "--store", tmp_path / "s"]
    result = run(*words, "--steps", 7)
    assert "Not trained" in result.output
    assert Store(tmp_path / "s").records()[0]["job"]["profile"] == "smoke@7"
    with pytest.raises(CourseError, match="give one of them"):
        run(*words, "--steps", 7, "--minutes", 1)


def test_minutes_become_steps(tmp_path, monkeypatch):
    seen = []

    def steps_in(minutes, jobs):
        seen.append((minutes, [job.method for job in jobs]))
        return 5

    monkeypatch.setattr(pace, "steps_in", steps_in)
    words = ["--dataset", "chest_ct", "--profile", "smoke", "--minutes", 2]
    result = run("run", "denoising", "red_cnn", *words, "--store", tmp_path)
    assert seen == [(2.0, ["red_cnn"])] and "2 minutes are about --steps 5 here" in result.output
    assert Store(tmp_path).records()[0]["steps"] == 5


def test_the_slowest_method_decides_how_many_steps_fit(monkeypatch):
    jobs = [
        Job("denoising", method, "chest_ct", "smoke", 0)
        for method in ("median", "red_cnn", "cnn_dae")
    ]
    known = {"red_cnn": 1234, "cnn_dae": 5678}
    monkeypatch.setattr(pace, "_steps", lambda job, splits, seconds: known[job.method])
    assert pace.steps_in(1, jobs) == 1200, "two digits are what a trial can tell"
    assert pace.steps_in(1, jobs[:1]) is None


def test_a_trial_measures_the_pace():
    job = Job("denoising", "red_cnn", "chest_ct", "smoke", 0)
    few, many = pace.steps_in(0.02, [job]), pace.steps_in(2, [job])
    assert 1 <= few < many


def test_a_profile_with_steps_is_checked():
    question = catalogue.question("denoising", "chest_ct")
    assert question.plan("class@9").steps == 9
    assert question.plan("class@9").batch == question.plan("class").batch
    for wrong in ("class@", "class@0", "class@many", "quick@3", "quick"):
        with pytest.raises(CourseError):
            Job("denoising", "red_cnn", "chest_ct", wrong, 0).check()
    assert wording.profile("class@1400") == "class, 1400 steps"
