"""Whether what lies in memory is what the files say.

A record's key speaks of files; a notebook, an exercise or a debugger can change what was imported
from them. So each module is run once more from its file, beside the one in memory, and the two are
compared: functions by their code and defaults, classes by their members, values by value.
"""

import functools
import re
import sys
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PYTHONS = ("__annotate__", "__annotate_func__", "_abc_impl")
"""Names that Python itself writes into a class, beside `__doc__`, `__dict__` and the like."""
PARTS: dict[type, tuple[str, ...]] = {
    types.FunctionType: ("__code__", "__defaults__", "__kwdefaults__", "__dict__", "__closure__"),
    types.CellType: ("cell_contents",),
    types.MethodType: ("__func__", "__self__"),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    functools.partial: ("func", "args", "keywords"),
    type(functools.lru_cache(len)): ("__wrapped__",),
}
"""Kinds of object that are compared by these of their parts."""


def changed(names: Iterable[str]) -> list[str]:
    """What of the course's modules of these names was changed in memory, by full names. Modules
    that are not loaded are fresh when they will be."""
    found: list[str] = []
    for name in dict.fromkeys(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and name.startswith("course_lib"):
            found += _of_module(name, Path(file), vars(sys.modules[name]))
    return list(dict.fromkeys(found))


def _of_module(name: str, path: Path, loaded: Mapping[str, Any]) -> Iterator[str]:
    fresh = {"__name__": name, "__file__": str(path), "__package__": loaded.get("__package__")}
    try:
        source = path.read_text("utf-8")
        exec(compile(source, str(path), "exec"), fresh)
    except Exception:  # the file can be run no more
        yield name
        return
    own = re.findall(r"^\s+global (.+)", source, re.M)  # the module's functions bind them anew
    skip = {word.strip() for words in own for word in words.split(",")}
    skip |= {key for key, value in loaded.items() if key not in fresh and _is_module(value)}
    yield from _names(name, fresh, loaded, skip, set())


def _is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def _names(
    path: str,
    fresh: Mapping[str, Any],
    loaded: Mapping[str, Any],
    skip: Collection[str],
    seen: set[tuple[int, int]],
) -> Iterator[str]:
    for key in dict.fromkeys([*fresh, *loaded]):
        if key in skip or key in PYTHONS or _is_note(key, fresh, loaded):
            continue
        if key in fresh and key in loaded:
            yield from _values(f"{path}.{key}", fresh[key], loaded[key], seen)
        else:
            yield f"{path}.{key}"


def _is_note(key: str, *spaces: Mapping[str, Any]) -> bool:
    """Whether a name is for Python's own use, such as `__doc__`; not `__init__`."""
    return key.startswith("__") and not any(callable(space.get(key)) for space in spaces)


def _values(path: str, fresh: Any, loaded: Any, seen: set[tuple[int, int]]) -> Iterator[str]:
    if fresh is loaded or (id(fresh), id(loaded)) in seen:
        return
    seen.add((id(fresh), id(loaded)))
    if _named(type(fresh)) != _named(type(loaded)):
        yield path
    elif isinstance(fresh, type):
        if _named(fresh) != _named(loaded):
            yield path
        elif fresh.__module__.startswith("course_lib"):
            yield from _values(path, fresh.__bases__, loaded.__bases__, seen)
            yield from _names(path, vars(fresh), vars(loaded), (), seen)
    elif type(fresh) in PARTS:
        for part in PARTS[type(fresh)]:
            one, other = getattr(fresh, part, None), getattr(loaded, part, None)  # of an empty cell
            yield from _values(path, one, other, seen)
    elif isinstance(fresh, dict | list | set) and not fresh:
        return  # filled while it is used
    elif isinstance(fresh, dict):
        yield from _values(path, [*fresh, *fresh.values()], [*loaded, *loaded.values()], seen)
    elif isinstance(fresh, list | tuple):
        if len(fresh) != len(loaded):
            yield path
        for one, other in zip(fresh, loaded, strict=False):
            yield from _values(path, one, other, seen)
    elif _is_ours(fresh):
        yield from _names(path, vars(fresh), vars(loaded), _worked_out(loaded), seen)
    elif not _equal(fresh, loaded):
        yield path


def _named(kind: type) -> tuple[str, str]:
    """The same for a class that was made twice."""
    return kind.__module__, kind.__qualname__


def _is_ours(value: Any) -> bool:
    return type(value).__module__.startswith("course_lib") and hasattr(value, "__dict__")


def _worked_out(value: Any) -> set[str]:
    """The attributes that are there only once somebody has asked for them."""
    kind = vars(type(value))
    return {key for key in vars(value) if isinstance(kind.get(key), functools.cached_property)}


def _equal(fresh: Any, loaded: Any) -> bool:
    """Values by value; objects that have none, such as locks, are alike."""
    if hasattr(fresh, "shape"):  # arrays, tensors
        return fresh.shape == loaded.shape and bool(((fresh == loaded) | (fresh != fresh)).all())
    if type(fresh).__eq__ is object.__eq__:
        return True
    return bool(fresh == loaded) or fresh != fresh
