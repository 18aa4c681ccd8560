"""`course report`: the records of a store as pages."""

from pathlib import Path

import click

from course_lib import catalogue
from course_lib.cli import complete
from course_lib.cli.bench import PROFILE, STORE, TASKS
from course_lib.errors import CourseError


@click.command()
@STORE
@click.option("--out", default="reports/default", show_default=True, help="Folder to write.")
@click.option("--title", default="Benchmark report", show_default=True)
@PROFILE
@TASKS
@click.option("--dataset", shell_complete=complete.datasets, help="Only this data set.")
@click.option("--without", multiple=True, help="Leave out a registry data set (repeatable).")
@click.option(
    "--names",
    is_flag=True,
    help="Show folders, and subjects of your own data, as they are called: not for handing on.",
)
def report(
    store: str,
    out: str,
    title: str,
    profile: str,
    task_ids: tuple[str, ...],
    dataset: str | None,
    without: tuple[str, ...],
    names: bool,
) -> None:
    """Write the report of a store's records: OUT/index.html."""
    from course_lib.benchmark.report import write_report
    from course_lib.benchmark.store import Store
    from course_lib.data import registry

    for name in task_ids:
        catalogue.section(name)
    for name in without:
        registry.get(name)
    shelf = Store(store)
    if not shelf.folder.is_dir():
        raise CourseError(
            f"There is no folder {shelf.folder}. Name the store with --store, or make records: "
            f"`course bench --profile {profile} --store {store}`."
        )
    found = shelf.records()
    records = [r for r in found if _wanted(r["job"], profile, task_ids, dataset, without)]
    if not records:
        raise CourseError(
            f"There are no records for profile {profile}"
            f"{f' of {dataset}' if dataset else ''} in {shelf.folder}/. "
            f"Make some: `course bench --profile {profile} --store {store}`."
        )
    records.sort(key=lambda record: _place(record["job"]))
    described = {e.id: e.describe() for e in catalogue.METHODS}
    click.echo(str(write_report(records, shelf.folder, Path(out), title, described, names)))


def _place(job: dict) -> tuple[int, int]:
    """Where a job stands in the survey: its task, then its data set as the task lists them; data
    of one's own come last."""
    listed = list(catalogue.datasets(job["task"]))
    own = job["dataset"] not in listed
    return catalogue.SECTIONS.index(job["task"]), len(listed) if own else listed.index(
        job["dataset"]
    )


def _wanted(
    job: dict,
    profile: str,
    task_ids: tuple[str, ...],
    dataset: str | None,
    without: tuple[str, ...],
) -> bool:
    sources = catalogue.datasets(job["task"]).get(job["dataset"], ())
    return (
        job["profile"].partition("@")[0] == profile
        and (not task_ids or job["task"] in task_ids)
        and dataset in (None, job["dataset"])
        and not set(sources) & set(without)
    )
