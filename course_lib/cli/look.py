"""`course data look`: what is understood of data of one's own, before anything is trained."""

import json
from pathlib import Path
from typing import Any

import click

from course_lib import catalogue
from course_lib.cli.own import located, of_own_data
from course_lib.errors import CourseError


@click.command("look")
@click.argument("dataset")
@of_own_data
@click.option(
    "--out", type=click.Path(dir_okay=False), help="The contact sheet; default: look.png."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def look(dataset: str, out: str | None, as_json: bool, **said: Any) -> None:
    """Say what is understood of your own data, path:FOLDER_OR_FILE, and draw some of them; also of
    public ones, medmnist/NAME or msd/TASK.

    Subjects, split, sizes, spacing, unit, what is marked, what was left out and why, and which
    sections can use them. Nothing is trained.
    """
    from course_lib.cases import is_own
    from course_lib.data import own
    from course_lib.data.own import reading

    whole = ":" in dataset or is_own(dataset)
    name = located(dataset if whole else f"path:{dataset}", **said)
    if name is None or not is_own(name):
        raise CourseError(f"`course data look` looks at path:FOLDER_OR_FILE, not at {dataset!r}.")
    sheet = _sheet(out, own.location(name))
    found = _found(name)
    short = reading.short(name)
    alt = _draw(found.pop("pictures"), sheet, short)
    found |= {"sections": _sections(name), "sheet": str(sheet), "description": alt}
    if as_json:
        click.echo(json.dumps({"schema": 1, "data": short} | found, indent=1, ensure_ascii=False))
    else:
        _print(short, found)


def _sheet(out: str | None, place: Path) -> Path:
    """Where the contact sheet goes: never into the data, which it would change."""
    sheet = Path(out or "look.png").resolve()
    folder = place.resolve()
    if not sheet.is_relative_to(folder):
        return sheet
    if out:
        raise CourseError(
            f"{out} lies inside the data and would change them. Choose another --out."
        )
    return folder.parent / "look.png"


def _found(name: str) -> dict[str, Any]:
    """All that is known of the data, as plain values, and `pictures`."""
    from tqdm import tqdm

    from course_lib.data import own
    from course_lib.data.own.look import look as looked
    from course_lib.data.own.tables import readable

    data = own.read(name)
    found = looked(
        data, lambda items: tqdm(items, desc="looking", unit=" images", leave=False, delay=1)
    )
    return {
        "sha256": own.fingerprint(name),
        "rows": found.rows,
        "parts": found.parts,
        "marked": found.marked,
        "counts": found.counts,
        "left_out": [
            {"name": readable(one.name), "why": readable(one.why)} for one in data.left_out
        ],
        "notes": list(map(readable, data.notes)),
        "pictures": found.pictures,
    }


def _draw(pictures: list, sheet: Path, name: str) -> str:
    """Draws the contact sheet; returns what it shows, in words."""
    from course_lib.files import atomic
    from course_lib.lesson.contact_sheet import contact_sheet

    drawn = contact_sheet(pictures, name)
    with atomic(sheet) as temporary:
        temporary.write_bytes(drawn.png)
    return drawn.alt


def _sections(name: str) -> dict[str, dict[str, Any]]:
    """Section → whether its question can use the data, by trying in the smallest profile; the
    reason where not, and what it would use."""
    from course_lib.data import own

    answers: dict[str, dict[str, Any]] = {}
    place = own.location(name)
    for section in catalogue.SECTIONS:
        if not any(question.answers(name) for question in catalogue.questions(section)):
            answers[section] = {"can": False, "why": "it asks about the course's own data only."}
            continue
        try:
            splits = catalogue.question(section, name).make(name, "smoke", 0)
            answers[section] = {"can": True, "why": "", "test_cases": len(splits.test)}
        except CourseError as error:
            answers[section] = {"can": False, "why": str(error).replace(str(place), place.name)}
    return answers


def _print(name: str, found: dict[str, Any]) -> None:
    click.echo(f"{name} ({found['sha256'][:12]})")
    for row, text in found["rows"].items():
        click.echo(f"  {row:12} {text}")
    for part, counts in found["parts"].items():
        click.echo(f"  {part:12} {counts['images']} images of {counts['subjects']} subjects")
    if found["counts"]:
        parts = list(dict.fromkeys(part for row in found["counts"].values() for part in row))
        wide = max(20, *map(len, found["counts"]))
        click.echo(f"\n{found['marked']:{wide}} " + " ".join(f"{part:>12}" for part in parts))
        for thing, row in found["counts"].items():
            click.echo(f"{thing:{wide}} " + " ".join(f"{row.get(part, 0):12,}" for part in parts))
    click.echo(f"\nleft out: {len(found['left_out']) or 'nothing'}")
    for one in found["left_out"]:
        click.echo(f"  {one['name']}: {one['why']}")
    for note in found["notes"]:
        click.echo(f"note: {note}")
    click.echo("\nwhich sections can use them")
    for section, answer in found["sections"].items():
        click.echo(f"  {section:18} {'yes' if answer['can'] else 'no: ' + answer['why']}")
    click.echo(f"\n{found['sheet']}: {found['description']}")
