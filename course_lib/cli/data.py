"""`course data`: what data sets there are, fetching them, and checking that they are whole."""

import json

import click

from course_lib.cli import complete
from course_lib.cli.look import look


@click.group()
def data() -> None:
    """List, fetch and check the real data sets of the course, and look at your own."""


data.add_command(look)


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(as_json: bool) -> None:
    """Show every data set: size, licence, whether it is here."""
    from course_lib.data import fetch, public, registry

    sets = registry.data_sets().values()
    here = {data_set.name: fetch.is_fetched(data_set.name) for data_set in sets}
    if as_json:
        rows = [
            {
                "name": data_set.name,
                "title": data_set.title,
                "package": f"{data_set.package}=={data_set.version}",
                "size": data_set.size,
                "sha256": data_set.sha256,
                "licence": data_set.licence,
                "non_commercial": data_set.non_commercial,
                "optional": data_set.optional,
                "fetched": here[data_set.name],
                "citation": data_set.citation,
            }
            for data_set in sets
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    rows = [("name", "MB", "fetched", "licence", "what it is")] + [
        (
            data_set.name,
            f"{data_set.size / 1e6:.1f}",
            "yes" if here[data_set.name] else "optional" if data_set.optional else "no",
            data_set.licence + (" *" if data_set.non_commercial else ""),
            data_set.title,
        )
        for data_set in sets
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = row[1].rjust(widths[1])
        click.echo("  ".join(cells).rstrip())
    click.echo("\n* not for commercial use; leave it out with `--without NAME`.")
    click.echo(f"Public data sets, fetched by name: {', '.join(public.names())}.")


@data.command()
@click.argument("names", nargs=-1, shell_complete=complete.fetched)
@click.option("--without", multiple=True, metavar="NAME", help="Leave this one out. Repeatable.")
def fetch(names: tuple[str, ...], without: tuple[str, ...]) -> None:
    """Fetch the NAMES given, or all data sets that are not optional.

    Public data sets are fetched by name too: medmnist/NAME, msd/TASK.

    Downloads go on where they stopped; what is already here and intact is left alone.
    """
    from course_lib.cases import is_public
    from course_lib.data import fetch, public, registry

    wanted = [name for name in names if is_public(name)]
    for name in wanted:
        click.echo(public.fetch(name))
    names = tuple(name for name in names if name not in wanted)
    for data_set in registry.chosen(names, without) if names or not wanted else ():
        if data_set.non_commercial:
            click.echo(f"{data_set.name}: {data_set.licence}, not for commercial use")
        fetch.fetch(data_set.name)


@data.command()
def doctor() -> None:
    """Hash every fetched or derived file again; say what is wrong and how to repair it."""
    from course_lib.data import derived, fetch

    findings = [*fetch.doctor(), *derived.doctor()]
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.name.ljust(width)}  {finding.state:<13}  {finding.licence}")
        if finding.state != "ok":
            click.echo(f"{' ' * width}  {finding.detail}")
            click.echo(f"{' ' * width}  → {finding.repair}")
    wrong = sum(finding.wrong for finding in findings)
    click.echo(f"\n{wrong} to repair, see → above." if wrong else "\nWhat is here is intact.")
    if wrong:
        raise SystemExit(1)


@data.command("medmnist")
@click.argument("name")
@click.option("--size", default=28, show_default=True, help="Pixels a side.")
@click.option("--file", "path", type=click.Path(), help="A local npz, or the folder that holds it.")
@click.option(
    "--allow-unverified",
    is_flag=True,
    help="Accept a file whose MD5 is not the published one; results then say 'unverified'.",
)
def medmnist_(name: str, size: int, path: str | None, allow_unverified: bool) -> None:
    """Load and check a MedMNIST data set, for example breastmnist: download it, or take --file."""
    from course_lib.data import medmnist

    found = medmnist.load(name, size, path, allow_unverified)
    click.echo(f"{found.name}, {found.size} pixels a side: {found.provenance} file {found.file}")
    click.echo(f"licence {found.licence}; MD5 {found.md5}; {found.task}")
    click.echo(f"classes: {'; '.join(found.classes)}")
    for split, images in found.images.items():
        click.echo(f"{split:6} {' x '.join(map(str, images.shape))}")
