"""`course build` makes the notebooks from their sources; `course measure` times them."""

from pathlib import Path

import click


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a notebook is out of date.")
def build(check: bool) -> None:
    """Make the student and the complete notebooks from the lessons' text sources."""
    from course_lib.lesson import build as builder

    root = builder.checkout()
    if not check:
        written = builder.build(root)
        for path in written:
            click.echo(f"wrote {path.relative_to(root)}")
        click.echo(f"{len(written)} notebooks written; the rest was up to date.")
    # Looked at after building too: a notebook without a source is nothing that building mends.
    faults = builder.stale(root)
    for path, fault in faults.items():
        click.echo(f"{path.relative_to(root)} {fault}", err=True)
    if faults:
        click.echo("Next: run `course build` and commit what it writes.", err=True)
        raise SystemExit(1)
    click.echo("All notebooks match their sources.")


@click.command()
@click.argument("lesson", required=False)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the notebooks as run.")
def measure(lesson: str | None, keep: Path | None) -> None:
    """Run LESSON (or all) in a fresh kernel; record its minutes and memory for its badges."""
    from course_lib.lesson import build as builder
    from course_lib.lesson.measure import record

    root = builder.checkout()
    builder.build(root)
    for each in [builder.find(root, lesson)] if lesson else builder.lessons(root):
        click.echo(f"running {each.name} …")
        result = record(each, keep)
        click.echo(
            f"{each.name}: {result['seconds']:.0f} s, slowest cell "
            f"{result['slowest_cell_s']:.0f} s, peak memory {result['peak_memory_mb']} MB"
        )
    builder.build(root)
