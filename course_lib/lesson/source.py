"""One text file is a lesson: how it becomes a student's notebook and a complete one.

A source is a Python file in jupytext's percent format. Between `### BEGIN SOLUTION` and
`### END SOLUTION` (nbgrader's marks) stands what the learner is to write; the student's notebook
has `...  # your code here` instead, so that every cell still runs.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
OPEN = "...  # your code here"
_SOLUTION = re.compile(
    rf"^(?P<indent>[ \t]*){BEGIN}[ \t]*\n.*?^[ \t]*{END}[ \t]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Cell:
    """One cell: `kind` is 'code' or 'markdown'; `tags` are papermill's and ours."""

    kind: str
    text: str
    tags: tuple[str, ...] = ()


def read(path: Path) -> list[Cell]:
    """The cells of a source file. Raises CourseError when its marks do not pair."""
    import jupytext

    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != text.count(END) or text.count(BEGIN) != len(_SOLUTION.findall(text)):
        raise CourseError(
            f"{path}: every '{BEGIN}' needs its '{END}' in the same cell. Pair the marks."
        )
    notebook = jupytext.reads(text, fmt="py:percent")
    return [
        Cell(cell.cell_type, cell.source.strip("\n"), tuple(cell.metadata.get("tags", ())))
        for cell in notebook.cells
        if cell.source.strip()
    ]


def without_solutions(cells: list[Cell]) -> list[Cell]:
    """The same cells with each solution replaced by `...  # your code here`."""
    return [
        Cell(cell.kind, _SOLUTION.sub(rf"\g<indent>{OPEN}", cell.text), cell.tags)
        if cell.kind == "code"
        else cell
        for cell in cells
    ]


def code_sha(cells: list[Cell]) -> str:
    """A hash of what runs. Prose may change without making a measurement out of date."""
    code = "\0".join(cell.text for cell in cells if cell.kind == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def notebook(cells: list[Cell]) -> str:
    """The text of an .ipynb file: the same bytes for the same cells, on any machine.

    A cell's id comes from its content (and, for twins, from their order), so that a cell keeps
    its id, and a diff stays short, when others are added before it.
    """
    seen: Counter[str] = Counter()
    entries = []
    for cell in cells:
        content = f"{cell.kind}\0{cell.text}"
        seen[content] += 1
        entry = {
            "cell_type": cell.kind,
            "id": hashlib.sha256(f"{content}\0{seen[content]}".encode()).hexdigest()[:12],
            "metadata": {"tags": list(cell.tags)} if cell.tags else {},
            "source": cell.text.splitlines(keepends=True),
        }
        if cell.kind == "code":
            entry |= {"execution_count": None, "outputs": []}
        entries.append(entry)
    whole = {
        "cells": entries,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
