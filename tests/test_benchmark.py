"""Jobs, their keys, and sweeps through papermill, with real smoke runs."""

import json
import os
from pathlib import Path

import jsonschema
import nbformat
import numpy as np
import pytest
from click.testing import CliRunner

from course_lib import catalogue
from course_lib.benchmark import clock, identity, sweep
from course_lib.benchmark.job import Job, run_here
from course_lib.benchmark.store import Store
from course_lib.cli import course
from course_lib.errors import CourseError
from course_lib.files import PACKAGE

MEDIAN = Job("denoising", "median", "chest_ct", "smoke", 0)


def schema(name):
    return json.loads((PACKAGE / "benchmark" / f"{name}.schema.json").read_text("utf-8"))


def invoke(*arguments):
    return CliRunner().invoke(course, arguments)


def test_the_key_follows_everything_that_decides_the_result(monkeypatch):
    keys = {
        MEDIAN.key(),
        Job("denoising", "median", "chest_ct", "smoke", 1).key(),
        Job("denoising", "noisy_input", "chest_ct", "smoke", 0).key(),
        Job("denoising", "median", "chest_ct+lung_tumours", "smoke", 0).key(),
        Job("denoising", "median", "chest_ct", "class", 0).key(),
        Job("denoising", "median", "chest_ct", "smoke", 0, {"size": 5}).key(),
    }
    assert len(keys) == 6 and MEDIAN.key() in keys
    monkeypatch.setattr("course_lib.benchmark.job.code_hash", lambda names, outside: "other code")
    assert MEDIAN.key() not in keys
    modules, outside = MEDIAN.modules()
    question = "course_lib.tasks.denoising.low_dose"
    assert modules == ["course_lib.fit", question, catalogue.entry("median").module]
    assert not outside


def test_a_job_runs_lesson_cells_only_when_they_are_its_own():
    sources = "\n".join(
        cell["source"] for cell in identity.job_cells("01_restoration/01_denoising")
    )
    assert "run_here(" in sources and "exercise(" not in sources


def test_run_here_leaves_a_valid_record_and_does_not_repeat(tmp_path):
    record = run_here("denoising", "median", "chest_ct", "smoke", 0, store=tmp_path)
    jsonschema.validate(record, schema("record"))
    assert record["settings"]["candidates"] == 3 and record["parameters"] == 0
    assert record["data"][0]["name"] == "chest_ct" and len(record["data"][0]["sha256"]) == 64
    with np.load(Store(tmp_path).place(record["key"]) / "pictures.npz") as pictures:
        assert len(pictures["case"]) == len(record["cases"]) == len(pictures["output"])
    again = run_here("denoising", "median", "chest_ct", "smoke", 0, store=tmp_path)
    sealed = {name: again.pop(name) for name in ("files", "sha256")}  # checksums, when it is filed
    assert again == json.loads(json.dumps(record)) and "pictures.npz" in sealed["files"]


def test_method_data_is_part_of_the_record():
    names = [row["name"] for row in Job("denoising", "wgan_vgg", "chest_ct", "smoke", 0).sources()]
    assert names == ["chest_ct", "imagenet_weights"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("denoising", "median", "moon_rocks", "smoke", 0), "no data set 'moon_rocks'"),
        (Job("denoising", "median", "chest_ct", "huge", 0), "no profile 'huge'"),
        (Job("denoising", "medain", "chest_ct", "smoke", 0), "Did you mean 'median'"),
    ],
)
def test_jobs_that_cannot_exist_are_refused(job, words):
    with pytest.raises(CourseError, match=words):
        job.check()


@pytest.mark.slow
def test_bench_keeps_notebooks_reports_failures_and_repeats_nothing(tmp_path, monkeypatch):
    """One good and one failing job through real papermill; then only the failed one again."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import os\n"
        "if os.environ.get('BREAK_MEDIAN'):\n"
        "    from course_lib.methods.denoising import median\n"
        "    def predict(self, batch): raise RuntimeError('the filter is on fire')\n"
        "    median.Median.predict = predict\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("BREAK_MEDIAN", "1")
    command = ["bench", "--task", "denoising", "--method", "median", "--method", "noisy_input"]
    command += ["--dataset", "chest_ct", "--profile", "smoke", "--seeds", "1", "--json"]
    command += ["--workers", "2", "--store", str(tmp_path / "runs")]
    result = invoke(*command)
    assert result.exit_code == 1
    outcome = json.loads(result.stdout[result.stdout.index("{") :])
    jsonschema.validate(outcome, schema("bench"))
    status = {row["method"]: row["status"] for row in outcome["jobs"]}
    assert status == {"noisy_input": "done", "median": "failed"}
    store = Store(tmp_path / "runs")
    for record in store.records():
        jsonschema.validate(record, schema("record"))
        notebook = nbformat.read(store.place(record["key"]) / "notebook.ipynb", as_version=4)
        assert any(cell.get("outputs") for cell in notebook.cells)
    failed = next(r for r in store.records() if r["status"] == "failed")
    assert "on fire" in failed["error"]["message"] and "predict" in failed["error"]["traceback"]

    monkeypatch.delenv("BREAK_MEDIAN")
    result = invoke(*command)
    outcome = json.loads(result.stdout[result.stdout.index("{") :])
    status = {row["method"]: row["status"] for row in outcome["jobs"]}
    assert result.exit_code == 0 and status == {"noisy_input": "cached", "median": "done"}


@pytest.mark.slow
@pytest.mark.skipif(not sweep.CAN_FORK, reason="kernels are forked on Linux only")
def test_a_forked_kernel_does_what_a_started_one_does_and_remembers_nothing(tmp_path):
    """Two jobs, one after the other in forks of one process, against a kernel of its own."""
    jobs = [Job("denoising", "cnn_dae", "chest_ct", "smoke", seed) for seed in (0, 1)]
    forked, started = Store(tmp_path / "forked"), Store(tmp_path / "started")
    outcomes = sweep.run(jobs, forked, workers=1)
    sweep.run(jobs[1:], started, workers=1)
    assert [o.status for o in outcomes] == ["done", "done"]
    one, other = (store.read(outcomes[1].key) for store in (forked, started))
    assert one["cases"] == other["cases"] and one["device"] == other["device"]
    losses = [[(row["losses"], row["validation"]) for row in r["curve"]] for r in (one, other)]
    assert losses[0] == losses[1]


def test_the_time_left_follows_what_is_known():
    slow, quick = (Job("denoising", m, "chest_ct", "smoke", 0) for m in ("bm3d", "median"))
    assert clock.expected_seconds([slow, quick], {}) is None
    known = {clock.kind(slow): [10.0, 14.0]}
    assert clock.expected_seconds([slow, quick], known) == 24.0
    known[clock.kind(quick)] = [2.0]
    assert clock.expected_seconds([slow, quick], known) == 14.0


def test_the_time_left_is_known_from_the_start_by_the_shipped_timings():
    slow, quick = (Job("denoising", m, "chest_ct", "class", 0) for m in ("wgan_vgg", "median"))
    shipped = clock.shipped_seconds()
    alone = clock.expected_seconds([slow], {})
    assert alone == shipped[clock.kind(slow)] > 5 * clock.expected_seconds([quick], {})
    # A machine that is half as fast takes twice as long.
    known = {clock.kind(quick): [2 * shipped[clock.kind(quick)]]}
    assert clock.expected_seconds([slow], known) == pytest.approx(2 * alone)
    assert all(Job(t, m, "", p, 0).method in catalogue.entry(m).id for t, m, p in shipped)


def test_a_running_job_tells_how_far_it_is(tmp_path, monkeypatch):
    store, job = Store(tmp_path), Job("denoising", "red_cnn", "chest_ct", "class", 0)
    other = Job("denoising", "median", "chest_ct", "class", 0)
    folder = tmp_path / ".partial-1"
    folder.mkdir()
    monkeypatch.setattr(clock.time, "monotonic", iter([50.0, 60.0, 60.1]).__next__)
    tell = clock.pulse(job, folder)
    tell(1, 401)
    tell(101, 401)
    tell(102, 401)  # too soon to be written
    at = clock.pulses(store, [job])
    assert at == {str(job): (101, 401, 0.1)} and clock.pulses(store, [other]) == {}
    assert clock.left([job], at, {}, 2) == "step 101 of 401, about 30 s left"
    assert "step" not in clock.left([job, other], at, {}, 2)
    (folder / clock.FILE).write_text('{"job": "half')
    assert clock.pulses(store, [job]) == {}


@pytest.mark.parametrize("first", [0, 1])
def test_one_slow_step_tells_no_pace_and_two_do(tmp_path, monkeypatch, first):
    """Settings are counted from 0, steps of a training from 1."""
    store, job = Store(tmp_path), Job("denoising", "bm3d", "chest_ct", "class", 0)
    folder = tmp_path / ".partial-1"
    folder.mkdir()
    monkeypatch.setattr(clock.time, "monotonic", iter([50.0, 60.0]).__next__)
    tell = clock.pulse(job, folder)
    tell(first, 5)
    at = clock.pulses(store, [job])
    assert at == {str(job): (first, 5, None)}
    assert clock.left([job], at, {clock.kind(job): [7.0]}, 1).endswith("about 7 s left")
    tell(first + 1, 5)
    rest = 10 * (5 - first - 1)
    words = clock.left([job], clock.pulses(store, [job]), {}, 1)
    assert words == f"step {first + 1} of 5, about {rest} s left"


def test_an_empty_store_says_what_to_do(tmp_path):
    result = invoke("report", "--store", str(tmp_path), "--out", str(tmp_path / "report"))
    assert isinstance(result.exception, CourseError)
    assert "course bench" in str(result.exception)


@pytest.mark.slow
def test_run_then_report(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    runs, out = str(tmp_path / "runs"), tmp_path / "report"
    job = ["run", "denoising", "noisy_input", "--dataset", "chest_ct", "--profile", "smoke"]
    result = invoke(*job, "--store", runs)
    assert result.exit_code == 0 and "psnr" in result.output
    assert "done:" in result.output and "cached:" in invoke(*job, "--store", runs).output
    assert Store(runs).records()[0]["device"]["threads"] == 1  # as the user asked
    result = invoke("report", "--store", runs, "--profile", "smoke", "--out", str(out))
    assert result.exit_code == 0 and Path(out / "index.html").is_file()


def test_the_report_follows_the_survey():
    from course_lib.cli.report import _place

    asked = [
        ("frontier", "scanner_shift/one_scanner"),
        ("translation", "path:mine"),
        ("augmentation", "anomaly"),
        ("denoising", "chest_ct"),
        ("augmentation", "malignancy"),
    ]
    jobs = [{"task": task, "dataset": dataset} for task, dataset in asked]
    found = [(job["task"], job["dataset"]) for job in sorted(jobs, key=_place)]
    assert found == [asked[3], asked[4], asked[2], asked[1], asked[0]]


def test_threads_and_the_limit_reach_the_jobs(tmp_path, monkeypatch):
    seen = []

    def run(jobs, store, workers=1, tell=None, limit=None):
        seen.append(([job.threads for job in jobs], workers, limit))
        return [sweep.Outcome(job, job.key(), "failed", 1.0, "ValueError: x") for job in jobs]

    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr("course_lib.cli.bench.cores", lambda: 4)
    monkeypatch.setattr("course_lib.cli.bench.MEMORY_OF_A_WORKER", 1)
    words = ["--method", "median", "--dataset", "chest_ct", "--profile", "smoke", "--seeds", "2"]
    words = ["bench", "--task", "denoising", *words, "--store", str(tmp_path)]
    result = invoke(*words, "--threads", "2", "--limit", "7.5")
    assert result.exit_code == 1 and "2 threads: ValueError: x" in result.output
    assert "notebook.ipynb" not in result.output, "there is none"
    invoke(*words)
    one = ["run", "denoising", "median", "--dataset", "chest_ct", "--profile", "smoke"]
    result = invoke(*one, "--store", str(tmp_path), "--threads", "3", "--limit", "1")
    assert result.exit_code == 1
    assert seen == [([2, 2], 2, 7.5), ([1, 1], 4, None), ([3], 1, 1.0)]
    for wrong in (["--threads", "0"], ["--limit", "0"], ["--limit", "-1"]):
        assert invoke(*words, *wrong).exit_code == 2
    monkeypatch.setattr("course_lib.cli.bench.MEMORY_OF_A_WORKER", 2**60)
    invoke(*words)
    assert seen[-1] == ([1, 1], 1, None), "no more than memory has room for"
