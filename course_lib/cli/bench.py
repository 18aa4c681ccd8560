"""`course run` and `bench`."""

import json
import os
import time
from typing import TYPE_CHECKING, Any

import click

from course_lib import catalogue
from course_lib.catalogue import outside
from course_lib.cli import complete
from course_lib.cli.length import lengthened, of_length
from course_lib.cli.own import located, of_own_data
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.benchmark.job import Job
    from course_lib.benchmark.store import Store
    from course_lib.benchmark.sweep import Outcome

PROFILES = click.Choice(["smoke", "class", "long", "full"])
STATES = ("done", "failed", "cached", "refused")
MOST_SEEDS, MOST_WORKERS_A_CORE = 1000, 4
SEEDS = 2**31 - 1  # what every library's generator takes
TASKS = click.option(
    "--task",
    "task_ids",
    multiple=True,
    shell_complete=complete.tasks,
    help="Only this task (repeatable).",
)
PROFILE = click.option(
    "--profile",
    type=PROFILES,
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
DATASET = click.option(
    "--dataset",
    callback=_not_empty,
    shell_complete=complete.datasets,
    help="Data set; by default the first one that fits. Your own: path:FOLDER_OR_FILE. Public: "
    "medmnist/NAME, msd/TASK.",
)


@click.command()
@click.argument("task", shell_complete=complete.tasks)
@click.argument("method", shell_complete=complete.methods)
@DATASET
@of_own_data
@PROFILE
@of_length
@click.option(
    "--seed",
    type=click.IntRange(0, SEEDS),
    default=0,
    show_default=True,
    help="Noise, first weights, batches.",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Method option.")
@click.option("--variant", help="One of the method's named variants, such as an ablation.")
@STORE
def run(
    task: str,
    method: str,
    dataset: str | None,
    profile: str,
    steps: int | None,
    minutes: float | None,
    seed: int,
    options: tuple[str, ...],
    variant: str | None,
    store: str,
    **said: Any,
) -> None:
    """Run one job: METHOD (an id, or path:my_method.py) on TASK. Its record goes to the store."""
    from course_lib.benchmark import choice, sweep
    from course_lib.benchmark.job import Job
    from course_lib.benchmark.store import Store

    catalogue.section(task)
    method = _method(method)
    dataset = located(dataset, **said) or choice.default_dataset(task, method)
    chosen = _variant(method, variant) | choice.single(options)
    job = Job(task, method, dataset, profile, seed, chosen)
    job.check()
    (job,) = lengthened([job], steps, minutes)
    shelf = Store(store)
    if not shelf.done(job.key()):
        job.look()
    outcome = sweep.run([job], shelf)[0]
    if outcome.status == "refused":
        raise CourseError(outcome.error)
    if outcome.status == "failed":
        click.echo(
            f"Error: {job} failed: {_words(outcome.error)}. The executed notebook with the "
            f"traceback is {shelf.place(outcome.key) / 'notebook.ipynb'}.",
            err=True,
        )
        raise click.exceptions.Exit(1)
    record = shelf.read(outcome.key) or {}
    if outcome.status == "cached":  # else they were told before the training
        for note in record.get("notes", ()):
            click.echo(f"data: {note}", err=True)
    _print_scores(record)
    click.echo(f"{outcome.status}: {shelf.place(outcome.key)}")


def _words(error: str | None) -> str:
    """A job's error as a sentence's end."""
    return (error or "").removeprefix("CourseError: ").strip().rstrip(".")


def _looked_at(jobs: list["Job"], shelf: "Store") -> tuple[list["Job"], list["Outcome"]]:
    """The jobs whose data fit, and the refusals of the rest; each question looks once."""
    from course_lib.benchmark.sweep import Outcome
    from course_lib.errors import Refused

    said: dict[tuple[str, str], str] = {}
    for job in jobs:
        if (job.task, job.dataset) in said or shelf.done(job.key()):
            continue
        try:
            job.look()
            said[job.task, job.dataset] = ""
        except Refused as refusal:
            said[job.task, job.dataset] = str(refusal)
    reasons = [said.get((job.task, job.dataset), "") for job in jobs]
    pairs = list(zip(jobs, reasons, strict=True))
    refused = [Outcome(job, job.key(), "refused", 0.0, why) for job, why in pairs if why]
    return [job for job, why in pairs if not why], refused


def _method(name: str) -> str:
    """A method's name, a file's made absolute."""
    return outside.located(name) if outside.is_outside(name) else catalogue.entry(name).id


def _variant(method: str, name: str | None) -> dict:
    """The options of a named variant; CourseError that lists the variants when there is none."""
    known = catalogue.entry(method).variants
    if name is not None and name not in known:
        listed = f"it has: {', '.join(known)}" if known else "it has none"
        raise CourseError(f"{catalogue.entry(method).name} has no variant {name!r}; {listed}.")
    return dict(known[name]) if name else {}


def _print_scores(record: dict) -> None:
    """The mean scores of each group of test cases."""
    for group in dict.fromkeys(case["group"] for case in record["cases"]):
        cases = [case["scores"] for case in record["cases"] if case["group"] == group]
        click.echo(f"{group} ({len(cases)} cases):")
        for name, about in record["metrics"].items():
            values = [scores[name] for scores in cases if scores[name] is not None]
            mean = f"{sum(values) / len(values):.4g}" if values else "undefined"
            click.echo(f"  {name:14} {mean} {about['unit']}")


@click.command()
@TASKS
@click.option(
    "--method",
    "method_ids",
    multiple=True,
    shell_complete=complete.methods,
    help="Only this method: an id, or path:my_method.py (repeatable).",
)
@DATASET
@of_own_data
@click.option("--without", multiple=True, help="Leave out a registry data set (repeatable).")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE,…",
    help="Only methods with this option, once with each value (repeatable: all combinations).",
)
@click.option("--variants", is_flag=True, help="Also the methods' named variants (ablations).")
@PROFILE
@of_length
@click.option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    default=3,
    show_default=True,
    help="How many seeds, from 0.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS_A_CORE * (os.cpu_count() or 1)),
    help="Jobs at once; default: one per core, one per GPU.",
)
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def bench(
    task_ids: tuple[str, ...],
    method_ids: tuple[str, ...],
    dataset: str | None,
    without: tuple[str, ...],
    options: tuple[str, ...],
    variants: bool,
    profile: str,
    steps: int | None,
    minutes: float | None,
    seeds: int,
    workers: int | None,
    store: str,
    as_json: bool,
    **said: Any,
) -> None:
    """Run many jobs: methods x seeds of the tasks. Finished jobs are not repeated.

    Where a method cannot answer a task's first data set, the baselines run on its data set too.
    """
    from course_lib.benchmark import choice, sweep
    from course_lib.benchmark.store import Store

    jobs = choice.planned(
        task_ids or catalogue.SECTIONS,
        [_method(name) for name in method_ids],
        located(dataset, **said),
        without,
        profile,
        seeds,
        choice.swept(options),
        variants,
    )
    for job in jobs:
        job.check()
    workers = workers or default_workers()
    jobs = lengthened(jobs, steps, minutes, workers)
    begin = time.perf_counter()
    shelf = Store(store)
    fitting, refused = _looked_at(jobs, shelf)
    outcomes = refused + (sweep.run(fitting, shelf, workers) if fitting else [])
    seconds = time.perf_counter() - begin
    totals = {status: sum(o.status == status for o in outcomes) for status in STATES}
    if as_json:
        rows = [outcome.describe() for outcome in outcomes]
        about = {"schema": 1, "store": str(shelf.folder), "jobs": rows, "totals": totals}
        click.echo(json.dumps(about | {"wall_s": round(seconds, 3)}, indent=1))
    else:
        counts = ", ".join(
            f"{count} {status}" for status, count in totals.items() if count or status != "refused"
        )
        click.echo(f"{counts} in {seconds / 60:.1f} min; records in {shelf.folder}/")
        for o in outcomes:
            if o.status == "failed":
                place = shelf.place(o.key) / "notebook.ipynb"
                click.echo(f"failed: {o.job}: {_words(o.error)} (see {place})")
        for task, reason in {(o.job.task, o.error) for o in outcomes if o.status == "refused"}:
            click.echo(f"refused: {task}: {reason}")
    if totals["failed"]:
        raise click.exceptions.Exit(1)
    if totals["refused"]:
        raise click.exceptions.Exit(2)


def default_workers() -> int:
    """One job per core, because small networks use one core better than they share two; one job
    at a time on a graphics card."""
    from course_lib import device

    return min(4, os.cpu_count() or 1) if device.choose().type == "cpu" else 1
