"""Options that say how the user's own data are to be read: they become part of their name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from course_lib.errors import CourseError

OPTIONS = (
    click.option("--unit", help="Of your own images: HU (CT) or a.u. (anything else)."),
    click.option("--series", metavar="TEXT", help="Of your own: the series or contrast to take."),
    click.option(
        "--subject-pattern",
        "subject",
        metavar="REGEX_OR_CSV",
        help="Whom an image of your own is of: a regular expression with one group for its path, "
        "or a CSV or JSON file.",
    ),
    click.option(
        "--split",
        metavar="CSV_OR_JSON",
        help="Which part each subject or image of your own belongs to; none: divide anew.",
    ),
    click.option("--skip", is_flag=True, help="Leave out cases of your own that cannot be used."),
    click.option(
        "--resample-labels",
        is_flag=True,
        help="Bring label maps of your own onto the grid of their images.",
    ),
    click.option(
        "--allow-unverified",
        is_flag=True,
        help="Take a MedMNIST file of your own though its checksum is not the published one.",
    ),
)
FLAGS = {
    "unit": "--unit",
    "series": "--series",
    "subject": "--subject-pattern",
    "split": "--split",
    "skip": "--skip",
    "resample_labels": "--resample-labels",
    "allow_unverified": "--allow-unverified",
}


def of_own_data(command: Callable) -> Callable:
    """A command with all these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def located(dataset: str | None, allow_unverified: bool = False, **said: Any) -> str | None:
    """The name of a data set with what is said of it: a path of the user's made absolute, since
    jobs run in folders of their own. A public data set is fetched first.

    Arguments:
        said: the answers, by the names of `Reading`.
    Raises CourseError when something is said of data that are not the user's own.
    """
    from course_lib.cases import UNVERIFIED, is_own, is_public
    from course_lib.data import own, public
    from course_lib.data.own import reading, subjects, tables

    answers = {name: value for name, value in said.items() if value}
    if dataset is None or not is_own(dataset):
        answers |= {"allow_unverified": True} if allow_unverified else {}
        if given := [FLAGS[name] for name in answers]:
            raise CourseError(
                f"{given[0]} says how data of your own are to be read. Name them with "
                f"--dataset path:FOLDER_OR_FILE; now it is {dataset or 'the default data set'}."
            )
        return dataset
    if is_public(dataset):
        if allow_unverified:
            raise CourseError(
                f"{dataset} is fetched as it was published; --allow-unverified is for a file of "
                "your own, path:FILE."
            )
        click.echo(public.fetch(dataset.partition("?")[0]), err=True)
    place = own.location(dataset).resolve()
    whole = replace(reading.parse(dataset)[1], **answers)
    if whole.subject and not tables.is_table(whole.subject):
        subjects.compiled(whole.subject)
    if whole.split not in ("", "none") and not tables.is_table(whole.split):
        raise CourseError(f"--split takes a CSV or JSON file, or none, but got {whole.split!r}.")
    for name in ("subject", "split"):  # a job runs in a folder of its own
        if tables.is_table(table := getattr(whole, name)):
            absolute: dict[str, Any] = {name: str(Path(table).expanduser().resolve())}
            whole = replace(whole, **absolute)
    word = UNVERIFIED if allow_unverified else dataset.partition(":")[0] + ":"
    name = public.get(dataset.partition("?")[0]).name if is_public(dataset) else f"{word}{place}"
    name += reading.query(whole)
    own.location(name)
    return name
