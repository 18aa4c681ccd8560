"""`--steps` and `--minutes`: trainings of another length than the profile's."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.errors import CourseError

OPTIONS = (
    click.option(
        "--steps",
        type=click.IntRange(1),
        help="Train that many steps instead of the profile's; ranked apart from it.",
    ),
    click.option(
        "--minutes",
        type=click.FloatRange(0.01),
        help="Train about that long: tries the pace first, and says the --steps it chose.",
    ),
)


def of_length(command: Callable) -> Callable:
    """A command with these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def lengthened(jobs: Sequence[Job], steps: int | None, minutes: float | None) -> list[Job]:
    """The jobs with as many steps as were asked for; those of one question and data set get the
    same, as many as the slowest of them can do.

    Raises CourseError when steps and minutes are both given.
    """
    from course_lib.benchmark import pace

    if steps and minutes:
        raise CourseError("--steps and --minutes both say how long to train; give one of them.")
    if not steps and not minutes:
        return list(jobs)
    if still := sorted({job.method for job in jobs if not pace.learns(job.method)}):
        names = ", ".join(catalogue.entry(method).name for method in still)
        click.echo(f"Not trained, so that steps and minutes change nothing: {names}.", err=True)
    chosen: dict[tuple[str, str], int | None] = {}
    for job in jobs:
        kind = job.task, job.dataset
        if kind not in chosen:
            same = [other for other in jobs if (other.task, other.dataset) == kind]
            chosen[kind] = steps or _measured(same, minutes or 0.0)
    return [_of(job, chosen[job.task, job.dataset]) for job in jobs]


def _of(job: Job, steps: int | None) -> Job:
    return replace(job, profile=f"{job.profile}@{steps}") if steps else job


def _measured(jobs: Sequence[Job], minutes: float) -> int | None:
    from course_lib.benchmark import pace

    once = [job for job in jobs if job.seed == jobs[0].seed]
    steps = pace.steps_in(minutes, once)
    if steps:
        click.echo(f"{minutes:g} minutes are about --steps {steps} here.", err=True)
    return steps
