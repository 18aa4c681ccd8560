"""`course bench` with jobs that take milliseconds, for tests that stop it at a chosen moment.

`python stand_in_bench.py bench STORE NUMBER LINE`: when the process that leads comes to the LINE-th
line of its own code, its group gets the signal NUMBER. At the end it prints how many lines it ran.
"""

import os
import subprocess
import sys
import time

import click
from one_record import record

from course_lib import cli
from course_lib.benchmark import sweep
from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store, write_json

JOBS = 6


def execute(job, store, fork=False, aloud=()):
    """A job that leaves a record. What it starts has a session of its own and looks now and then
    whether its parent is still there, like a kernel."""
    with store.writing(f"{job.seed:020}") as folder:
        look = f"while kill -0 {os.getpid()}; do sleep 0.2; done"
        kernel = subprocess.Popen(["sh", "-c", look], start_new_session=True)
        time.sleep(0.03)
        write_json(folder / "record.json", record(job.describe(), f"{job.seed:020}"))
        kernel.kill()
        kernel.wait()
    return sweep.Outcome(job, "", "done", 0.03)


@click.command()
@click.argument("store")
@click.argument("number", type=int)
@click.argument("line", type=int)
def bench(store, number, line):
    """The command that takes the place of the real one."""
    jobs = [Job("denoising", "noisy_input", "chest_ct", "smoke", seed) for seed in range(JOBS)]
    seen = 0

    def watch(frame, event, _):
        nonlocal seen
        if "benchmark" not in frame.f_code.co_filename:
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.killpg(0, number)
        return watch

    sys.settrace(watch)
    sweep.run(jobs, Store(store), workers=2)
    sys.settrace(None)
    print(seen)


if __name__ == "__main__":
    sweep.execute = execute
    cli.COMMANDS["bench"] = "__main__:bench"
    cli.main()
