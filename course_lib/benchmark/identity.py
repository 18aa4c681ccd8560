"""What decides a result: hashes of source code, lesson cells and data."""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_lib.files import PACKAGE, resource


@lru_cache(maxsize=256)
def code_hash(modules: tuple[str, ...]) -> str:
    """SHA-256 of these modules' source, the training loop's, and all of `course_lib` that they
    import, directly or not."""
    waiting, sources = [*modules, "course_lib.fit"], {}
    while waiting:
        name = waiting.pop()
        path = _module_path(name)
        if name in sources or path is None:
            continue
        sources[name] = path.read_text("utf-8")
        waiting += _imports(sources[name])
    text = "".join(f"{name}\n{sources[name]}" for name in sorted(sources))
    return hashlib.sha256(text.encode()).hexdigest()


def _module_path(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def _imports(source: str) -> Iterable[str]:
    """The modules of `course_lib` that a source text imports anywhere."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("course_lib."))


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
