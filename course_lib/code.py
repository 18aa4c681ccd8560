"""The course's own source code that something depends on, as one hash.

What counts is what computes: comments, docstrings and line breaks do not, and neither do the
modules that only move bytes whose hash is checked anyway, or that speak to people.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from course_lib.files import PACKAGE

ASIDE = frozenset(
    {
        "course_lib",
        "course_lib.code",
        "course_lib.data.archives",
        "course_lib.data.download",
        "course_lib.data.fetch",
        "course_lib.data.public",
        "course_lib.data.registry",
        "course_lib.data.wheels",
        "course_lib.errors",
        "course_lib.files",
    }
)
"""Modules that decide no number: they fetch files by their hash, find them, or report errors."""


def code_hash(modules: Iterable[str], outside: Mapping[str, Path] | None = None) -> str:
    """SHA-256 of what these modules compute, and of all of `course_lib` that they import, directly
    or not.

    Arguments:
        outside: top-level names whose imports are followed too, with the folder that holds each:
            those of a method from outside.
    """
    folders = {"course_lib": PACKAGE} | dict(outside or {})
    waiting, digests = list(modules), {}
    while waiting:
        name = waiting.pop()
        path = None if name in ASIDE else _module_path(name, folders)
        if name in digests or path is None:
            continue
        about = path.stat()
        digests[name], imports = _read(name, path, about.st_mtime_ns, about.st_size)
        waiting += imports
    text = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _read(name: str, path: Path, _changed: int, _size: int) -> tuple[str, tuple[str, ...]]:
    """The hash of a file's syntax tree without docstrings, and what it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = tuple(_imports(tree, package))
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


def _module_path(name: str, folders: Mapping[str, Path]) -> Path | None:
    top, *rest = name.split(".")
    if top not in folders:
        return None
    base = PACKAGE.joinpath(*rest) if top == "course_lib" else folders[top].joinpath(top, *rest)
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def _imports(tree: ast.Module, package: str) -> Iterable[str]:
    """The modules that a syntax tree of this package imports anywhere, by their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            found = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            yield found
            yield from (f"{found}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
