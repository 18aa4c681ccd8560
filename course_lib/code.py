"""The course's own source code that something depends on, as one hash.

What counts is what computes: comments, docstrings and line breaks do not, and neither do the
modules that only move bytes whose hash is checked anyway, or that speak to people.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from course_lib.files import PACKAGE

ASIDE = frozenset(
    {
        "course_lib",
        "course_lib.code",
        "course_lib.data.download",
        "course_lib.data.fetch",
        "course_lib.data.registry",
        "course_lib.data.wheels",
        "course_lib.errors",
        "course_lib.files",
    }
)
"""Modules that decide no number: they fetch files by their hash, find them, or report errors."""


def code_hash(modules: Iterable[str]) -> str:
    """SHA-256 of what these modules compute, and of all of `course_lib` that they import, directly
    or not."""
    waiting, digests = list(modules), {}
    while waiting:
        name = waiting.pop()
        path = None if name in ASIDE else _module_path(name)
        if name in digests or path is None:
            continue
        about = path.stat()
        digests[name], imports = _read(path, about.st_mtime_ns, about.st_size)
        waiting += imports
    text = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _read(path: Path, _changed: int, _size: int) -> tuple[str, tuple[str, ...]]:
    """The hash of a file's syntax tree without docstrings, and what it imports of `course_lib`."""
    tree = ast.parse(path.read_text("utf-8"))
    imports = tuple(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports


def _is_text(node: ast.stmt) -> bool:
    """A docstring, or a text below an assignment that explains it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _module_path(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def _imports(tree: ast.Module) -> Iterable[str]:
    """The modules of `course_lib` that a syntax tree imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("course_lib."))
