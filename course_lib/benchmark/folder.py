"""The report's folder: what a report wrote is its own to replace; anything else is somebody's."""

import json
from pathlib import Path

from course_lib.errors import CourseError

LIST = "report-files.json"


def checked(folder: Path) -> Path:
    """The folder, links followed, if a report may be written there.

    Raises CourseError when it is a file, or holds anything that no report wrote.
    """
    folder = Path(folder).resolve()
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise CourseError(f"{folder} is a file. Name a folder for the report with --out.")
    there = _files(folder)
    if foreign := sorted(there - _listed(folder)):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise CourseError(
            f"{folder} holds files that are not a report's: {', '.join(foreign[:3])}{more}. They "
            "would be lost. Move them, or choose an empty or a new folder with --out."
        )
    return folder


def sealed(folder: Path) -> None:
    """Writes down which files the report consists of."""
    (folder / LIST).write_text(json.dumps(sorted(_files(folder) | {LIST}), indent=0), "utf-8")


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def _listed(folder: Path) -> set[str]:
    try:
        return set(json.loads((folder / LIST).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return set()
