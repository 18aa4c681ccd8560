"""Many jobs: each is run by papermill on its chapter's notebook.

The executed notebook is kept with the record. A finished job is not run again; a failed one is
kept with its error and tried again next time. When the sweep is interrupted or killed, at most the
job in flight is lost.
"""

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from course_lib import catalogue
from course_lib.benchmark import clock, ends, interrupt
from course_lib.benchmark.job import Job
from course_lib.benchmark.notebook import run_notebook
from course_lib.benchmark.patience import Patience
from course_lib.benchmark.store import Record, Store, read, write_json
from course_lib.benchmark.workers import LOOK_S, Lost, Workers
from course_lib.errors import CourseError, Refused

# Elsewhere a process may not fork once it has imported a library of the system.
CAN_FORK = sys.platform == "linux"
TAKEN = "taken"  # the outcome of a job that another bench works on
AGAIN_S = 2.0  # when it is asked for again


@dataclass(frozen=True)
class Outcome:
    """What became of a job: `done`, `failed`, `cached` when an earlier record served, or `refused`
    when the data do not fit: then there is no record."""

    job: Job
    key: str
    status: str
    wall_s: float
    error: str | None = None

    def describe(self) -> dict[str, Any]:
        """The job's row in `course bench --json`."""
        row = {"options": {}} | self.job.describe()
        about = {"status": self.status, "wall_s": round(self.wall_s, 3), "error": self.error}
        return {"key": self.key} | row | about


def execute(job: Job, store: Store, fork: bool = False, aloud: Collection[str] = ()) -> Outcome:
    """Runs one job through papermill unless it is done already, and files its record. Whatever
    goes wrong is this job's failure, and no other's.

    Arguments:
        fork: take a kernel that is forked, for the first of many jobs in this process.
        aloud: the jobs, as text, whose notes on the user's data are told before they train.
    """
    key, start = "", time.perf_counter()
    try:
        key = job.key()
        if store.done(key):
            return Outcome(job, key, "cached", 0.0)
        with store.claimed(key) as mine:
            if not mine:
                return Outcome(job, key, TAKEN, 0.0)
            if store.done(key):  # by another bench, a moment ago
                return Outcome(job, key, "cached", 0.0)
            error = _filed(job, key, store, fork, str(job) in aloud)
    except Refused as refusal:
        return Outcome(job, key, "refused", time.perf_counter() - start, str(refusal))
    except Exception as fault:  # the disk is full, the store is gone …
        error = ends.told(type(fault).__name__, str(fault))
    seconds = time.perf_counter() - start
    if error:
        return Outcome(job, key, "failed", seconds, f"{error['type']}: {error['message']}")
    return Outcome(job, key, "done", seconds)


def _filed(job: Job, key: str, store: Store, fork: bool, aloud: bool) -> dict[str, str] | None:
    """Runs the notebook and files the record; returns the error, if any. Raises Refused, with
    nothing filed, when the data do not fit."""
    with store.writing(key) as folder:
        error = run_notebook(job, folder, fork, aloud)
        if error and error["type"] == Refused.__name__:
            raise Refused(error["message"])
        (folder / clock.FILE).unlink(missing_ok=True)
        left = None if error else read(folder / "record.json", sealed=False)
        error = error or _not_of(key, left)
        record = _failure(job, key, error) if error else left or {}
        for path in folder.glob("pictures.*") if error else ():
            path.unlink()
        notebook = "notebook.ipynb" if (folder / "notebook.ipynb").is_file() else None
        write_json(folder / "record.json", record | {"notebook": notebook})
    return error


def _not_of(key: str, record: Record | None) -> dict[str, str] | None:
    """Why a record cannot be that of the job with this key, if so."""
    if record is None:
        return ends.told("CourseError", ends.LEFT_NOTHING)
    if record["key"] == key:
        return None
    names = ", ".join(record.get("patched", ())[:3])
    what = f" ({names})" if names else ""
    return ends.told("CourseError", f"{ends.CODE_CHANGED}{what}. Run the same command again.")


def _failure(job: Job, key: str, error: dict[str, str]) -> Record:
    return {
        "schema": 1,
        "key": key,
        "status": "failed",
        "error": error,
        "job": job.describe(),
        "about": catalogue.entry(job.method).describe(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "notebook": None,
    }


def run(
    jobs: Iterable[Job],
    store: Store,
    workers: int = 1,
    tell: Callable[[Outcome], None] | None = None,
    limit: float | None = None,
) -> list[Outcome]:
    """Runs the jobs with a progress bar that says how long the rest will take.

    Arguments:
        workers: how many jobs at once.
        tell: called with each outcome as it comes.
        limit: minutes that a job may take before it is stopped; by default see Patience.

    Returns the outcomes in the order of the jobs.

    Raises Interrupted, with nothing left running, when a signal to stop comes before the last
    outcome; a second signal ends the program at once.
    """
    with interrupt.held() as watch:
        try:
            return _run(list(jobs), store, workers, tell, watch, limit)
        except BaseException:
            store.clear()
            raise


def _run(
    jobs: list[Job],
    store: Store,
    workers: int,
    tell: Callable[[Outcome], None] | None,
    watch: interrupt.Watch,
    limit: float | None,
) -> list[Outcome]:
    from tqdm import tqdm

    store.clear()
    known = clock.known_seconds(store)
    patience = Patience(limit, known)
    left = dict(enumerate(jobs))
    outcomes: dict[int, Outcome] = {}
    at: dict[str, clock.At] = {}
    # In each worker papermill gives every job a kernel of its own.
    fork = CAN_FORK and len(jobs) > workers
    first = {(job.task, job.dataset, job.profile): str(job) for job in reversed(jobs)}
    work = partial(execute, store=store, fork=fork, aloud=frozenset(first.values()))
    with (
        Workers(min(workers, len(jobs)), work, _quiet) as team,
        tqdm(total=len(jobs), bar_format="{l_bar}{bar}| {unit} [{elapsed}{postfix}]") as bar,
    ):

        def look() -> None:
            at.clear()
            at.update(clock.pulses(store, left.values()))
            bar.n = len(outcomes) + sum(done / of for done, of, _ in at.values())
            bar.unit = f"{len(outcomes)}/{len(jobs)}"
            bar.set_postfix_str(clock.left(left.values(), at, known, workers))

        def stop(job: Job, seconds: float) -> str | None:
            return patience.over(job, seconds, at)

        look()
        while left:
            numbers = list(left)
            for place, answer in team.answers(list(left.values()), watch, look, stop):
                number, job = numbers[place], left[numbers[place]]
                patience.forget(job)
                outcome = _lost(job, store, answer) if isinstance(answer, Lost) else answer
                if outcome.status == TAKEN:  # its turn comes again when the others have run
                    continue
                outcomes[number] = outcome
                del left[number]
                if outcome.status == "done":
                    known.setdefault(clock.kind(outcome.job), []).append(outcome.wall_s)
                if tell:
                    tell(outcome)
                look()
            _wait(watch, look, AGAIN_S if left else 0.0)
    return [outcomes[number] for number in sorted(outcomes)]


def _wait(watch: interrupt.Watch, look: Callable[[], None], seconds: float) -> None:
    """Waits for other benches to finish what they work on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        watch.check()
        look()
        time.sleep(LOOK_S)


def _lost(job: Job, store: Store, answer: Lost) -> Outcome:
    """The failure of a job whose worker is gone, and can say nothing any more."""
    store.clear()
    error = ends.told("CourseError", answer.why)
    key = ""
    with suppress(CourseError, OSError):
        key = job.key()
        with store.writing(key) as folder:
            write_json(folder / "record.json", _failure(job, key, error))
    return Outcome(job, key, "failed", 0.0, f"{error['type']}: {error['message']}")


def _quiet() -> None:
    """Debuggers do not warn in a worker's kernels."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
