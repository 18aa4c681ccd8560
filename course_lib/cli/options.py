"""Options that several commands have."""

from typing import Any

import click

from course_lib.cli import complete
from course_lib.threads import MOST, VARIABLE

TASKS = click.option(
    "--task",
    "task_ids",
    multiple=True,
    shell_complete=complete.tasks,
    help="Only this task (repeatable).",
)
PROFILE = click.option(
    "--profile",
    type=click.Choice(["smoke", "class", "long", "full"]),
    default="class",
    show_default=True,
    help="smoke: seconds; class: a minute of one core a method; long: fifteen; full: one GPU.",
)


def _not_empty(_: click.Context, option: click.Parameter, value: Any) -> Any:
    """Refuses an empty text: an unset variable of a script."""
    if value is not None and not str(value).strip():
        raise click.BadParameter("it is empty.")
    return value


STORE = click.option(
    "--store", default="runs", show_default=True, help="Folder of records.", callback=_not_empty
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(1, MOST),
    help=f"Threads of the processor for a job; another number makes other scores. Default: "
    f"${VARIABLE}, else 1.",
)
LIMIT = click.option(
    "--limit",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="Stop a job that takes longer. Default: when its training stands still for 20 times what "
    "the job is expected to take, at least an hour; a day where nothing is known.",
)
DATASET = click.option(
    "--dataset",
    callback=_not_empty,
    shell_complete=complete.datasets,
    help="Data set; by default the first one that fits. Your own: path:FOLDER_OR_FILE. Public: "
    "medmnist/NAME, msd/TASK.",
)
