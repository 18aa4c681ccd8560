"""Jobs that take no time, or end in a bad way: in the place of `sweep.execute`, in real workers.

`python stand_in_jobs.py STORE`: a bench whose only worker halts, as a frozen machine's does.
"""

import os
import signal
import sys
import time

import click

from course_lib import cli
from course_lib.benchmark import sweep
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store, write_json
from tests.one_record import record

WAYS = ("good", "hang", "halt", "die", "raise", "taken", "good later")


def job(way):
    """A job that ends in this way."""
    return Job("denoising", "noisy_input", "chest_ct", "smoke", WAYS.index(way), {"way": way})


def mark(store, job):
    """The file that says that a job has begun."""
    return store.folder / f"begun-{job.seed}"


def execute(job, store, fork=False, aloud=()):
    """Ends as the job's option `way` says."""
    way, begun = job.options["way"], mark(store, job).exists()
    if way == "taken" and not begun:
        mark(store, job).touch()
        return sweep.Outcome(job, job.key(), sweep.TAKEN, 0.0)
    with store.writing(job.key()) as folder:
        mark(store, job).touch()
        if way == "hang":
            time.sleep(600)
        if way == "halt":
            os.kill(os.getpid(), signal.SIGSTOP)
        if way == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "raise":
            raise BaseException("what no job is expected to raise")
        write_json(folder / "record.json", record(job.describe(), job.key()))
    return sweep.Outcome(job, job.key(), "done", 0.01)


@click.command()
@click.argument("store")
def bench(store):
    """The command that takes the place of the real one."""
    sweep.run([job("halt")], Store(store))


if __name__ == "__main__":
    sweep.execute = execute
    cli.COMMANDS["bench"] = "__main__:bench"
    cli.main(["bench", *sys.argv[1:]])
