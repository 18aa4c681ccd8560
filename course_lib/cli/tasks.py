"""`course tasks`, `methods` and `check-method`: what there is to benchmark, and is it sound?"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from course_lib import catalogue
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.tasks.base import Question

SHOWN = 8  # data sets of a question that `course tasks` names


@click.command()
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tasks(task: str | None, as_json: bool) -> None:
    """List the tasks and what each asks; of one TASK also the fields of its cases."""
    names = [catalogue.section(task).id] if task else catalogue.SECTIONS
    if as_json:
        rows = [_described(name) for name in names]
        click.echo(json.dumps(rows, indent=1))
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
        click.echo(json.dumps([e.describe() for e in found], indent=1))
        return
    for e in found:
        number = f"[{e.ref}]" if e.ref else ""
        click.echo(f"{e.id:18} {e.section:14} {e.kind:12} {number:5} {e.name} — {e.cite}")


@click.command("check-method")
@click.argument("method")
@click.option("--task", help="Whose cases to try it on; by default the method's own task.")
@click.option("--dataset", help="One data set; by default one of each kind that it answers.")
def check_method(method: str, task: str | None, dataset: str | None) -> None:
    """Check METHOD (an id, or path:my_method.py) as the course's own methods are checked.

    Shapes and units, gradients of every player in every stage, a falling loss, repeatability, that
    no test case is ever seen, that a second training starts anew.
    """
    from course_lib.benchmark import checks

    about = catalogue.entry(method)
    task = task or about.section
    if not task:
        raise CourseError(f"{about.name} names no task. Add one: --task denoising, for example.")
    failed = count = 0
    found = list(_cases_for(about, task, dataset))
    if not found:
        raise CourseError(f"{about.name} answers no data set of {task}.")
    subjects = [
        checks.Subject(
            make=lambda: catalogue.build(method),
            question=question,
            splits=question.make(name, "smoke", 0),
            adversarial=about.kind == "adversarial",
        )
        for question, name in found
    ]
    for number, (subject, (_, name)) in enumerate(zip(subjects, found, strict=True)):
        subject.other = subjects[number - 1]
        click.echo(f"{about.name} on {name}")

        def tell(what: str, fault: str | None) -> None:
            nonlocal count
            count += 1
            click.echo(f"  {'FAULT' if fault else 'ok':6}{what}{f': {fault}' if fault else ''}")

        failed += checks.check(subject, tell)
    click.echo(f"{count} checks, {failed} failed.")
    if failed:
        raise click.exceptions.Exit(1)


def _cases_for(about: Any, task: str, dataset: str | None) -> list[tuple["Question", str]]:
    """(question, data set) to try a method on: of each kind one."""
    from course_lib.cases import PATH

    if dataset:
        return [(catalogue.question(task, dataset), dataset)]
    return [
        (question, name)
        for question in catalogue.questions(task)
        for name in (question.kinds or list(question.sources)[:1])
        if name != PATH and (not about.section or catalogue.fits(about, name))
    ]
