"""The course's own source code that something depends on, as one hash."""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from course_lib.files import PACKAGE


@lru_cache(maxsize=256)
def code_hash(modules: tuple[str, ...]) -> str:
    """SHA-256 of these modules' source, and of all of `course_lib` that they import, directly or
    not."""
    waiting, sources = list(modules), {}
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
