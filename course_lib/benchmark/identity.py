"""What decides a result beside its code: hashes of lesson cells and data."""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_lib.files import resource


def sources(names: Iterable[str]) -> list[dict[str, str]]:
    from course_lib.data import registry

    entries = {name: registry.get(name) for name in names}
    return [
        {"name": name, "sha256": entry.sha256, "licence": entry.licence}
        for name, entry in entries.items()
    ]


def lesson_path(lesson: str) -> Path:
    """The complete notebook of a lesson."""
    return resource("solutions") / f"{lesson}.ipynb"


def job_cells(lesson: str) -> list[dict[str, Any]]:
    """The code cells of a lesson that a benchmark job runs: those without the tag `lesson`.

    A notebook is JSON; nbformat, which takes two seconds to import, is not needed to read it.
    """
    notebook = json.loads(lesson_path(lesson).read_text("utf-8"))
    return [
        cell | {"source": "".join(cell["source"])}
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "lesson" not in cell["metadata"].get("tags", [])
    ]


@lru_cache(maxsize=64)
def lesson_hash(lesson: str) -> str:
    """SHA-256 of the cells that a job runs."""
    text = "\n".join(cell["source"] for cell in job_cells(lesson))
    return hashlib.sha256(text.encode()).hexdigest()
