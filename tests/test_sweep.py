"""One bad job is one failure: whatever it does, the others run, and the bench ends and says so."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from course_lib.benchmark import clock, ends, sweep
from course_lib.benchmark.job import Job
from course_lib.benchmark.patience import AT_LEAST_S, UNKNOWN_S, Patience
from course_lib.benchmark.store import Store, write_json
from course_lib.errors import Refused
from tests import one_record, stand_in_jobs

JOB = Job("denoising", "noisy_input", "chest_ct", "smoke", 0)


def notebook(*, error=None, raises=None, record=None):
    """What takes the place of a job's notebook."""

    def run(job, folder, fork, aloud):
        if raises:
            raise raises
        (folder / "notebook.ipynb").write_text("{}")
        if record is not None:
            whole = one_record.record(job.describe(), job.key())
            write_json(folder / "record.json", whole | record)
        return error

    return run


FAULTS = {
    "no record": (notebook(), "ended without a record.*sys.exit"),
    "other code": (notebook(record={"key": "ab" * 32}), "edited while this job ran"),
    "code in memory": (
        notebook(record={"key": "ab" * 32, "patched": ["course_lib.fit.fit"]}),
        r"edited while this job ran \(course_lib.fit.fit\)",
    ),
    "disk full": (
        notebook(raises=OSError(errno.ENOSPC, "No space left on device")),
        "OSError.*Make room on the disk",
    ),
    "a fault of the engine": (notebook(raises=ZeroDivisionError("division")), "ZeroDivisionError"),
    "memory": (notebook(error=ends.told("MemoryError", "")), "Memory ran out"),
    "an error": (notebook(error=ends.told("ValueError", "wrong size")), "ValueError: wrong size"),
    "sys.exit": (notebook(error=ends.told("SystemExit", "3")), r"called sys.exit\(3\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_job_is_its_failure_in_words(fault, tmp_path, monkeypatch):
    run, words = FAULTS[fault]
    monkeypatch.setattr(sweep, "run_notebook", run)
    store = Store(tmp_path)
    outcome = sweep.execute(JOB, store)
    assert outcome.status == "failed" and re.search(words, outcome.error), outcome.error
    assert not store.done(JOB.key())
    for record in store.records():
        assert record["status"] == "failed" and record["key"] == JOB.key()
        assert record["notebook"] == "notebook.ipynb"
    assert not list(tmp_path.glob(".*")), "no claim, nothing half-done"
    monkeypatch.setattr(sweep, "run_notebook", notebook(record={}))
    assert sweep.execute(JOB, store).status == "done" and store.done(JOB.key())


def test_refused_data_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "run_notebook", notebook(error=ends.told("Refused", "too small")))
    outcome = sweep.execute(JOB, Store(tmp_path))
    assert (outcome.status, outcome.error) == ("refused", "too small")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(sweep, "run_notebook", notebook(raises=Refused("too small")))
    assert sweep.execute(JOB, Store(tmp_path)).status == "refused"


def test_a_store_that_cannot_be_written_to_refuses_the_job(tmp_path):
    (tmp_path / "runs").write_text("a file")
    outcome = sweep.execute(JOB, Store(tmp_path / "runs"))
    assert outcome.status == "refused" and "--store" in outcome.error


def test_a_job_that_another_bench_works_on_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "run_notebook", notebook(raises=AssertionError("computed twice")))
    store = Store(tmp_path)
    with store.claimed(JOB.key()):
        assert sweep.execute(JOB, store).status == sweep.TAKEN
        with store.writing(JOB.key()) as folder:
            whole = one_record.record(JOB.describe(), JOB.key())
            write_json(folder / "record.json", whole)
    assert sweep.execute(JOB, store).status == "cached"


def test_two_benches_at_once_compute_each_job_once(tmp_path, monkeypatch):
    """Two threads in the place of two processes: a claim is told apart by its name alone."""
    computed, store = [], Store(tmp_path)

    def run(job, folder, fork, aloud):
        computed.append(job.seed)
        threading.Event().wait(0.02)
        return notebook(record={})(job, folder, fork, aloud)

    monkeypatch.setattr(sweep, "run_notebook", run)
    jobs = [replace(JOB, seed=seed) for seed in range(6)]

    def bench(mine):
        left = list(mine)
        while left:
            left = [job for job in left if sweep.execute(job, store).status == sweep.TAKEN]

    both = [threading.Thread(target=bench, args=(order,)) for order in (jobs, jobs[::-1])]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(computed) == list(range(6)) and len(store.records()) == 6


def test_a_sweep_outlives_jobs_that_hang_halt_die_and_raise(tmp_path, monkeypatch):
    store = Store(tmp_path)
    jobs = [stand_in_jobs.job(way) for way in stand_in_jobs.WAYS]

    def over(self, job, seconds, at):
        slow = job.options["way"] in ("hang", "halt")
        return "it hangs." if slow and stand_in_jobs.mark(store, job).exists() else None

    monkeypatch.setattr(Patience, "over", over)
    monkeypatch.setattr(sweep, "execute", stand_in_jobs.execute)
    outcomes = sweep.run(jobs, store, workers=2)
    found = {outcome.job.options["way"]: outcome for outcome in outcomes}
    assert [outcome.job for outcome in outcomes] == jobs
    status = {way: outcome.status for way, outcome in found.items()}
    bad = dict.fromkeys(("hang", "halt", "die", "raise"), "failed")
    assert status == bad | dict.fromkeys(("good", "taken", "good later"), "done")
    assert "it hangs" in found["hang"].error and "it hangs" in found["halt"].error
    assert "SIGKILL" in found["die"].error and "memory" in found["die"].error
    kept = {record["job"]["options"]["way"]: record for record in store.records()}
    assert {way: record["status"] for way, record in kept.items()} == status
    assert all(record["notebook"] is None for way, record in kept.items() if way in bad)
    assert not list(tmp_path.glob(".*"))


def test_a_limit_is_for_the_whole_job():
    patient = Patience(2.0, {})
    assert patient.over(JOB, 119.0, {}) is None
    assert "--limit" in patient.over(JOB, 121.0, {str(JOB): clock.At(5, 6, 1.0)})


@pytest.mark.parametrize(
    ("took", "limit"), [(1.0, AT_LEAST_S), (1000.0, 20 * 1000.0), (None, UNKNOWN_S)]
)
def test_without_a_limit_a_job_is_stopped_when_its_training_stands_still(took, limit, monkeypatch):
    now = 1e6
    monkeypatch.setattr("course_lib.benchmark.patience.time.monotonic", lambda: now)
    job = replace(JOB, profile="smoke@7")
    patient = Patience(None, {} if took is None else {clock.kind(job): [took]})
    assert patient.over(job, 1.0, {}) is None
    now += limit - 2
    assert patient.over(job, limit - 1, {}) is None
    at = {str(job): clock.At(1, 7, None)}
    assert patient.over(job, limit, at) is None, "a first step"
    now += limit - 1
    assert patient.over(job, 2 * limit, at) is None
    now += 2
    assert "--limit MINUTES" in patient.over(job, 2 * limit, at)
    patient.forget(job)
    assert patient.over(job, 1.0, at) is None, "it runs again"


BAD_METHOD = '''
"""A method that ends badly in many ways."""
import ctypes, os, signal, sys
from course_lib.methods.base import Classical

class Bad(Classical):
    """Ends as `way` says."""

    def __init__(self, way="well"):
        super().__init__()
        self.way = way

    def predict(self, batch):
        if self.way == "exit": sys.exit(0)
        if self.way == "exit3": sys.exit(3)
        if self.way == "hard": os._exit(0)
        if self.way == "segfault": ctypes.string_at(0)
        if self.way == "killed": os.kill(os.getpid(), signal.SIGKILL)
        if self.way == "memory": raise MemoryError
        if self.way == "disk": raise OSError(28, "No space left on device")
        if self.way == "interrupt": raise KeyboardInterrupt
        return batch["low_dose"]
'''
WAYS = {
    "exit": "without a record",
    "exit3": "sys.exit(3)",
    "hard": "died",
    "segfault": "died",
    "killed": "died",
    "memory": "Memory ran out",
    "disk": "Make room",
    "interrupt": "KeyboardInterrupt",
}


@pytest.mark.slow
def test_the_program_survives_every_bad_end_of_a_job_in_a_store_of_any_name(tmp_path):
    """The program as users run it, real kernels, and a store whose path papermill would fill in."""
    (tmp_path / "bad.py").write_text(BAD_METHOD)
    runs = tmp_path / "a{b} {task}$x '%s" / ("long" * 40)
    words = ["bench", "--task", "denoising", "--method", f"path:{tmp_path / 'bad.py'}:Bad"]
    words += ["--option", f"way={','.join(WAYS)},well", "--dataset", "chest_ct", "--profile"]
    words += ["smoke", "--seeds", "1", "--workers", "1", "--store", str(runs), "--json"]
    command = [sys.executable, "-m", "course_lib.cli", *words]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", env=os.environ)
    assert result.returncode == 1 and "Traceback" not in result.stdout + result.stderr
    rows = json.loads(result.stdout)["jobs"]
    said = {row["options"]["way"]: (row["status"], row["error"]) for row in rows}
    assert said.pop("well") == ("done", None)
    for way, words in WAYS.items():
        status, error = said[way]
        assert status == "failed" and words in error, (way, error)
    store = Store(runs)
    assert len(store.records()) == len(WAYS) + 1
    (good,) = [record for record in store.records() if record["status"] == "done"]
    assert store.done(good["key"]) and good["notebook"] == "notebook.ipynb"
    assert not list(runs.glob(".*"))
