"""`course lab` opens the lessons in JupyterLab; `course lessons copy` hands out the notebooks.

In a checkout the lessons lie beside the package. An installed copy carries them inside, where
nobody should work: they are copied to a folder of the user's.
"""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from course_lib.errors import CourseError

FOLDER, START = "medical-imaging-course", "00_start_here.ipynb"
FOLDER_ARGUMENT = click.argument("folder", required=False, type=click.Path(path_type=Path))


@click.group()
def lessons() -> None:
    """List the lessons, or copy their notebooks to a folder of yours."""


@lessons.command("list")
def list_() -> None:
    """Show every lesson: its name and its title."""
    from course_lib.files import resource
    from course_lib.lesson.chapters import CHAPTERS, lesson_titles

    for chapter in CHAPTERS:
        folder = resource("notebooks") / chapter.folder
        files = sorted(folder.glob("*.ipynb"))
        for file, title in zip(files, lesson_titles(chapter), strict=True):
            click.echo(f"{chapter.folder}/{file.stem:32} {title}")


@lessons.command()
@FOLDER_ARGUMENT
@click.option("--solutions", is_flag=True, help="Also the complete notebooks.")
def copy(folder: Path | None, solutions: bool) -> None:
    """Copy the lessons to FOLDER (by default ./medical-imaging-course).

    Notebooks that are there already stay as they are: your work is never written over.
    """
    target = folder or Path(FOLDER)
    added = copied(target, solutions)
    click.echo(f"{added} notebooks copied to {target}; what was there already stays as it was.")
    click.echo(f"Open them: course lab {target}")


@click.command()
@FOLDER_ARGUMENT
def lab(folder: Path | None) -> None:
    """Open the lessons in JupyterLab, in FOLDER if one is given.

    Without FOLDER: those of the checkout, or a copy in ./medical-imaging-course.
    """
    place = _place(folder)
    if find_spec("jupyterlab") is None:
        raise CourseError(
            f"JupyterLab is not installed in {sys.prefix}. Install it: `python -m pip install "
            f"jupyterlab`, then `course lab` again. Or open {place / START} in an editor that runs "
            "notebooks, such as VS Code, with this Python."
        )
    command = [sys.executable, "-m", "jupyter", "lab", "--LabApp.news_url=None"]
    click.echo(f"Opening {place / START}; stop it with Ctrl-C.")
    raise click.exceptions.Exit(
        subprocess.run([*command, START], cwd=place, check=False).returncode
    )


def _place(folder: Path | None) -> Path:
    """The folder of lessons to open, filled first where it is the user's."""
    from course_lib.files import PACKAGE

    beside = PACKAGE.parent / "notebooks"
    if folder is None and beside.is_dir():
        return beside
    target = folder or Path(FOLDER)
    copied(target)
    return target


def copied(target: Path, solutions: bool = False) -> int:
    """Copies the notebooks that are not there yet and returns how many those are.

    Raises CourseError when the folder cannot be written to or is a file.
    """
    from course_lib.files import make_room, resource

    sources = [(resource("notebooks"), target)]
    if solutions:
        sources.append((resource("solutions"), target / "solutions"))
    added = 0
    for source, place in sources:
        for file in sorted(source.rglob("*.ipynb")):
            new = place / file.relative_to(source)
            if ".ipynb_checkpoints" in new.parts or new.exists():
                continue
            make_room(new)
            shutil.copyfile(file, new)
            added += 1
    return added
