"""`course tasks`, `methods`, `run` and `bench`."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from course_lib import catalogue
from course_lib.catalogue.entry import Entry
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.tasks.base import Question

SHOWN = 8  # data sets of a question that `course tasks` names
PROFILES = click.Choice(["smoke", "class", "full"])
STORE = click.option("--store", default="runs", show_default=True, help="Folder of records.")
PROFILE = click.option(
    "--profile",
    type=PROFILES,
    default="class",
    show_default=True,
    help="smoke: seconds; class: about a minute per method on two cores; full: one GPU.",
)
DATASET = click.option(
    "--dataset",
    help="Data set; by default the first one that fits. Your own: path:FOLDER_OR_FILE.",
)
ALLOW_UNVERIFIED = click.option(
    "--allow-unverified",
    is_flag=True,
    help="Take a MedMNIST file of your own though its checksum is not the published one.",
)


@click.command()
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tasks(task: str | None, as_json: bool) -> None:
    """List the tasks and what each asks; of one TASK also the fields of its cases."""
    names = [catalogue.section(task).id] if task else catalogue.SECTIONS
    if as_json:
        rows = [_described(name) for name in names]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for name in names:
        about = catalogue.section(name)
        click.echo(f"{name:20} {about.title} (survey {about.survey})")
        for question in catalogue.questions(name):
            click.echo(f"  {question.id:18} {question.title}; headline {question.headline}")
            click.echo(f"{'':20} {_data_sets(question)}")
            for field, what in (question.fields if task else {}).items():
                unit = f", {what.unit}" if what.unit else ""
                click.echo(f"{'':22} {field} ({what.shape}{unit}): {what.text}")


def _data_sets(question: "Question") -> str:
    from course_lib.cases import PATH

    if PATH in question.sources:
        return "data of your own: --dataset path:…"
    names = list(question.sources)
    rest = f" and {len(names) - SHOWN} more (--json names them)" if len(names) > SHOWN else ""
    return f"data sets: {', '.join(names[:SHOWN])}{rest}"


def _described(name: str) -> dict[str, Any]:
    """A section's row in `course tasks --json`."""
    about, questions = catalogue.section(name), list(catalogue.questions(name))
    return {
        "id": name,
        "title": about.title,
        "survey": about.survey,
        "lesson": about.lesson,
        "datasets": list(catalogue.datasets(name)),
        "questions": [
            {
                "id": question.id,
                "title": question.title,
                "headline": question.headline,
                "datasets": list(question.sources),
                "metrics": {key: asdict(metric) for key, metric in question.metrics.items()},
                "fields": {key: asdict(field) for key, field in question.fields.items()},
                "facts": dict(question.facts),
                "plans": {key: asdict(plan) for key, plan in question.plans.items()},
            }
            for question in questions
        ],
    }


@click.command()
@click.option("--task", "task_id", help="Only the methods of this task.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def methods(task_id: str | None, as_json: bool) -> None:
    """List the methods: id, task, kind, the survey's reference, source."""
    if task_id is not None:
        catalogue.section(task_id)
    found = [e for e in catalogue.METHODS if task_id in (None, e.section)]
    if as_json:
        click.echo(json.dumps([e.describe() for e in found], indent=1, ensure_ascii=False))
        return
    for e in found:
        number = f"[{e.ref}]" if e.ref else ""
        click.echo(f"{e.id:18} {e.section:14} {e.kind:12} {number:5} {e.name} — {e.cite}")


@click.command()
@click.argument("task")
@click.argument("method")
@DATASET
@ALLOW_UNVERIFIED
@PROFILE
@click.option("--seed", default=0, show_default=True, help="Noise, first weights, batches.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Method option.")
@STORE
def run(
    task: str,
    method: str,
    dataset: str | None,
    allow_unverified: bool,
    profile: str,
    seed: int,
    options: tuple[str, ...],
    store: str,
) -> None:
    """Run one job: METHOD on TASK. Its record goes to the store."""
    from course_lib.benchmark import sweep
    from course_lib.benchmark.job import Job
    from course_lib.benchmark.store import Store

    dataset = _located(dataset, allow_unverified) or default_dataset(task, method)
    job = Job(task, method, dataset, profile, seed, _options(options))
    job.check()
    shelf = Store(store)
    outcome = sweep.run([job], shelf)[0]
    if outcome.status == "failed":
        raise CourseError(
            f"{job} failed: {outcome.error}. The executed notebook with the traceback is "
            f"{shelf.place(outcome.key) / 'notebook.ipynb'}."
        )
    _print_scores(shelf.read(outcome.key))
    click.echo(f"{outcome.status}: {shelf.place(outcome.key)}")


def _located(dataset: str | None, allow_unverified: bool) -> str | None:
    """A path of the user's made absolute, since jobs run in folders of their own."""
    from course_lib.cases import UNVERIFIED, is_own
    from course_lib.data import own

    if dataset is None or not is_own(dataset):
        return dataset
    word = UNVERIFIED if allow_unverified else dataset.partition(":")[0] + ":"
    return f"{word}{own.location(dataset).resolve()}"


def _options(pairs: tuple[str, ...]) -> dict:
    """`name=value` pairs; values are read as YAML, so numbers are numbers."""
    import yaml

    bad = [pair for pair in pairs if "=" not in pair]
    if bad:
        raise CourseError(f"--option takes NAME=VALUE, but got {bad[0]!r}.")
    return {k: yaml.safe_load(v) for k, v in (pair.split("=", 1) for pair in pairs)}


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
@click.option("--task", "task_ids", multiple=True, help="Only this task (repeatable).")
@click.option("--method", "method_ids", multiple=True, help="Only this method (repeatable).")
@DATASET
@ALLOW_UNVERIFIED
@click.option("--without", multiple=True, help="Leave out a registry data set (repeatable).")
@PROFILE
@click.option("--seeds", default=3, show_default=True, help="How many seeds, from 0.")
@click.option(
    "--workers", type=click.IntRange(1), help="Jobs at once; default: one per core, one per GPU."
)
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def bench(
    task_ids: tuple[str, ...],
    method_ids: tuple[str, ...],
    dataset: str | None,
    allow_unverified: bool,
    without: tuple[str, ...],
    profile: str,
    seeds: int,
    workers: int | None,
    store: str,
    as_json: bool,
) -> None:
    """Run many jobs: methods x seeds of the tasks. Finished jobs are not repeated.

    Where a method cannot answer a task's first data set, the baselines run on its data set too.
    """
    from course_lib.benchmark import sweep
    from course_lib.benchmark.job import Job
    from course_lib.benchmark.store import Store

    jobs, dataset = [], _located(dataset, allow_unverified)
    for name in task_ids or catalogue.SECTIONS:
        known = catalogue.methods(catalogue.section(name).id)
        for wanted in method_ids:
            catalogue.entry(wanted)
        chosen = [e for e in known if not method_ids or e.id in method_ids]
        if dataset:
            pairs = [(e.id, dataset) for e in chosen if catalogue.fits(e, dataset)]
        else:
            pairs = [(e.id, default_dataset(name, e.id, without)) for e in chosen]
            pairs += [] if method_ids else lacking_baselines(known, pairs)
        jobs += [Job(name, *pair, profile, seed) for seed in range(seeds) for pair in pairs]
    for job in jobs:
        job.check()
    begin = time.perf_counter()
    shelf = Store(store)
    outcomes = sweep.run(jobs, shelf, workers or default_workers())
    seconds = time.perf_counter() - begin
    totals = {
        status: sum(o.status == status for o in outcomes) for status in ("done", "failed", "cached")
    }
    if as_json:
        rows = [outcome.describe() for outcome in outcomes]
        about = {"schema": 1, "store": str(shelf.folder), "jobs": rows, "totals": totals}
        click.echo(json.dumps(about | {"wall_s": round(seconds, 3)}, indent=1))
    else:
        counts = ", ".join(f"{count} {status}" for status, count in totals.items())
        click.echo(f"{counts} in {seconds / 60:.1f} min; records in {shelf.folder}/")
        for o in outcomes:
            if o.status == "failed":
                click.echo(f"failed: {o.job}: {o.error} (see {shelf.place(o.key)}/notebook.ipynb)")
    if totals["failed"]:
        raise click.exceptions.Exit(1)


def default_workers() -> int:
    """One job per core, because small networks use one core better than they share two; one job
    at a time on a graphics card."""
    import os

    from course_lib import device

    return min(4, os.cpu_count() or 1) if device.choose().type == "cpu" else 1


def default_dataset(task: str, method: str, without: tuple[str, ...] = ()) -> str:
    """The task's first data set that the method answers and that needs none of the registry data
    sets named in `without`.

    Raises CourseError when there is none, or a name is unknown.
    """
    from course_lib.data import registry

    for name in without:
        registry.get(name)
    entry = catalogue.entry(method)
    for dataset, sources in catalogue.datasets(task).items():
        if catalogue.fits(entry, dataset) and not set(sources) & set(without):
            return dataset
    lacking = f" without {', '.join(without)}" if without else ""
    raise CourseError(f"{task} has no data set for {entry.name}{lacking}.")


def lacking_baselines(known: tuple[Entry, ...], pairs: list[tuple]) -> list[tuple[str, str]]:
    """(method, data set): the baselines that answer a data set of `pairs` too, and are not there.
    Without them a learned method would stand on a leaderboard with nothing to compare it to."""
    used = dict.fromkeys(dataset for _, dataset in pairs)
    wanted = [
        (e.id, dataset)
        for dataset in used
        for e in known
        if e.baseline and catalogue.fits(e, dataset)
    ]
    return [pair for pair in wanted if pair not in pairs]
