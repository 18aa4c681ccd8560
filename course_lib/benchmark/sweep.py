"""Many jobs: each is run by papermill on its chapter's notebook.

The executed notebook is kept with the record. A finished job is not run again; a failed one is
kept with its error and tried again next time. When the sweep is interrupted or killed, at most the
job in flight is lost.
"""

import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from course_lib import catalogue
from course_lib.benchmark import clock, interrupt
from course_lib.benchmark.identity import job_cells
from course_lib.benchmark.job import NOTE, Job
from course_lib.benchmark.store import Record, Store, write_json
from course_lib.benchmark.workers import Workers
from course_lib.errors import Refused

# Elsewhere a process may not fork once it has imported a library of the system.
CAN_FORK = sys.platform == "linux"


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
        row = asdict(self.job)
        about = {"status": self.status, "wall_s": round(self.wall_s, 3), "error": self.error}
        return {"key": self.key} | row | about


def execute(job: Job, store: Store, fork: bool = False, aloud: Collection[str] = ()) -> Outcome:
    """Runs one job through papermill unless it is done already, and files its record.

    Arguments:
        fork: take a kernel that is forked, for the first of many jobs in this process.
        aloud: the jobs, as text, whose notes on the user's data are told before they train.
    """
    key = job.key()
    if store.done(key):
        return Outcome(job, key, "cached", 0.0)
    start = time.perf_counter()
    try:
        error = _filed(job, key, store, fork, str(job) in aloud)
    except Refused as refusal:
        return Outcome(job, key, "refused", time.perf_counter() - start, str(refusal))
    seconds = time.perf_counter() - start
    if error:
        return Outcome(job, key, "failed", seconds, f"{error['type']}: {error['message']}")
    return Outcome(job, key, "done", seconds)


def _filed(job: Job, key: str, store: Store, fork: bool, aloud: bool) -> dict[str, str] | None:
    """Runs the notebook and files the record; returns the error, if any. Raises Refused, with
    nothing filed, when the data do not fit."""
    with store.writing(key) as folder:
        error = _run_notebook(job, folder, fork, _Notes() if aloud else None)
        if error and error["type"] == Refused.__name__:
            raise Refused(error["message"])
        (folder / clock.FILE).unlink(missing_ok=True)
        if error:
            write_json(folder / "record.json", _failure(job, key, error))
        else:
            record = json.loads((folder / "record.json").read_text("utf-8"))
            write_json(folder / "record.json", record | {"notebook": "notebook.ipynb"})
    return error


def _run_notebook(
    job: Job, folder: Path, fork: bool, told: "_Notes | None" = None
) -> dict[str, str] | None:
    """Executes the chapter's job cells with the job's parameters; returns the error, if any."""
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from course_lib.benchmark.kernel import ForkedKernels

    source = nbformat.v4.new_notebook(
        cells=[nbformat.from_dict(c) for c in job_cells(catalogue.section(job.task).lesson)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    template, result = folder / "template.ipynb", folder / "notebook.ipynb"
    nbformat.write(source, template)
    parameters = asdict(job) | {
        "options": json.dumps(job.options),
        "folder": str(folder.resolve()),
    }
    try:
        papermill.execute_notebook(
            template,
            result,
            parameters=parameters,
            progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
            stdout_file=told,
            **({"kernel_manager_class": ForkedKernels} if fork else {}),
        )
    except PapermillExecutionError as error:
        plain = re.compile(r"\x1b\[[0-9;]*m")
        return {
            "type": error.ename,
            "message": plain.sub("", error.evalue),
            "traceback": plain.sub("", "\n".join(error.traceback)),
        }
    except Exception as error:  # a kernel that died, for example for lack of memory
        return {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": traceback.format_exc(),
        }
    finally:
        template.unlink(missing_ok=True)
    return None


class _Notes:
    """Hands on what a running job says of the user's data; the rest stays in its notebook."""

    def write(self, text: str) -> None:
        """Tells the lines that are notes."""
        for line in text.splitlines():
            if line.startswith(NOTE):
                print(f"\r{line}", file=sys.stderr)

    def flush(self) -> None:
        """Makes them seen at once."""
        sys.stderr.flush()


def _failure(job: Job, key: str, error: dict[str, str]) -> Record:
    return {
        "schema": 1,
        "key": key,
        "status": "failed",
        "error": error,
        "job": asdict(job),
        "about": catalogue.entry(job.method).describe(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "notebook": "notebook.ipynb",
    }


def run(
    jobs: Iterable[Job],
    store: Store,
    workers: int = 1,
    tell: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Runs the jobs with a progress bar that says how long the rest will take.

    Arguments:
        workers: how many jobs at once; the processor's cores are shared out among them.
        tell: called with each outcome as it comes.

    Returns the outcomes in the order of the jobs.

    Raises Interrupted, with nothing left running, when a signal to stop comes before the last
    outcome; a second signal ends the program at once.
    """
    with interrupt.held() as watch:
        try:
            return _run(list(jobs), store, workers, tell, watch)
        except BaseException:
            store.clear()
            raise


def _run(
    jobs: list[Job],
    store: Store,
    workers: int,
    tell: Callable[[Outcome], None] | None,
    watch: interrupt.Watch,
) -> list[Outcome]:
    from tqdm import tqdm

    store.clear()
    known = clock.known_seconds(store)
    left = dict(enumerate(jobs))
    outcomes: dict[int, Outcome] = {}
    # In each worker papermill gives every job a kernel of its own.
    fork = CAN_FORK and len(jobs) > workers
    first = {(job.task, job.dataset, job.profile): str(job) for job in reversed(jobs)}
    work = partial(execute, store=store, fork=fork, aloud=frozenset(first.values()))
    prepare = partial(_share_cores, workers)
    with (
        Workers(min(workers, len(jobs)), work, prepare) as team,
        tqdm(total=len(jobs), bar_format="{l_bar}{bar}| {unit} [{elapsed}{postfix}]") as bar,
    ):

        def look() -> None:
            at = clock.pulses(store, left.values())
            bar.n = len(outcomes) + sum(done / of for done, of, _ in at.values())
            bar.unit = f"{len(outcomes)}/{len(jobs)}"
            bar.set_postfix_str(clock.left(left.values(), at, known, workers))

        look()
        for number, outcome in team.answers(jobs, watch, look):
            outcomes[number] = outcome
            del left[number]
            if outcome.status == "done":
                known.setdefault(clock.kind(outcome.job), []).append(outcome.wall_s)
            if tell:
                tell(outcome)
            look()
    return [outcomes[number] for number in sorted(outcomes)]


def _share_cores(workers: int) -> None:
    """Tells a worker's kernels how many cores are theirs, unless the user has said so."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ["MKL_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
