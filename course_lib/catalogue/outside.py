"""Methods that are not the course's own: a file of yours, or an installed package.

    course run denoising path:my_method.py               the one method class in a file
    course run denoising path:my_methods.py:Sharper      one of several

A package brings its methods by an entry point of the group `medical_imaging_course.methods`, whose
name becomes the method's id:

    [project.entry-points."medical_imaging_course.methods"]
    sharper = "my_package.sharper:Sharper"

Such a class subclasses `Method` or `Classical` like any other. What the catalogue says of it stands
in its attribute `about`, a dict of `Entry`'s fields, all of which may be left out:

    about = {"section": "denoising", "name": "Sharper", "kind": "supervised", "cite": "Me 2026"}

Only files and packages that you name or have installed are ever run.
"""

import hashlib
import importlib.util
import inspect
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from course_lib.catalogue.entry import Entry
from course_lib.errors import CourseError

GROUP, PATH = "medical_imaging_course.methods", "path:"


def is_outside(method: str) -> bool:
    """Whether a method's name is a file of the user's."""
    return method.startswith(PATH)


def located(method: str) -> str:
    """The same name with its path made absolute, since jobs run in folders of their own."""
    file, name = _parts(method)
    return f"{PATH}{file}{f':{name}' if name else ''}"


def entry(method: str) -> Entry:
    """What there is to say of the method in a file.

    Raises CourseError when the file cannot be run or holds no such method.
    """
    file, _ = _parts(method)
    cls = load(method)
    return _described(cls, id=located(method), file=str(file))


def load(method: str) -> type:
    """The class of the method in a file."""
    from course_lib.methods.base import Classical, Method

    file, name = _parts(method)
    module = _run(file, file.stat().st_mtime_ns)
    own = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and issubclass(value, Method | Classical)
    }
    if name is None and len(own) == 1:
        return next(iter(own.values()))
    if name not in own:
        known = f"it holds: {', '.join(own)}" if own else "it holds none"
        wanted = f"no method {name!r}" if name else "not one method"
        raise CourseError(
            f"{file} holds {wanted}; {known}. A method is a class that subclasses Method or "
            f"Classical of course_lib.methods.base; name one of several with {PATH}FILE:CLASS."
        )
    return own[name]


@lru_cache(maxsize=1)
def installed() -> tuple[Entry, ...]:
    """The methods that installed packages bring."""
    return tuple(
        _described(point.load(), id=point.name, file=point.value)
        for point in metadata.entry_points(group=GROUP)
    )


def installed_class(method: str) -> type:
    """The class of a method that an installed package brings."""
    (point,) = metadata.entry_points(group=GROUP, name=method)
    return point.load()


def roots(found: Entry) -> tuple[tuple[str, ...], dict[str, Path]]:
    """Of a method from outside: its modules, and the top-level names to follow imports into, with
    the folder that holds each. What decides its numbers is its own code, not that of libraries."""
    if is_outside(found.id):
        file, _ = _parts(found.id)
        beside = {p.stem: file.parent for p in file.parent.glob("*.py")}
        packages = {p.parent.name: file.parent for p in file.parent.glob("*/__init__.py")}
        return (file.stem,), beside | packages
    module = (found.file or "").partition(":")[0]
    top = module.partition(".")[0]
    origin = Path(importlib.util.find_spec(top).origin)
    folder = origin.parent.parent if origin.name == "__init__.py" else origin.parent
    return (module,), {top: folder}


def _parts(method: str) -> tuple[Path, str | None]:
    """The file, and the class if one is named; a Windows drive's colon is no separator."""
    text = method.removeprefix(PATH)
    place, separator, name = text.rpartition(":")
    if not separator or not name.isidentifier() or len(place) < 2:
        place, name = text, None
    file = Path(place).expanduser().resolve()
    if file.suffix != ".py" or not file.is_file():
        raise CourseError(f"{file} is no Python file. Expected: {PATH}my_method.py.")
    return file, name


@lru_cache(maxsize=16)
def _run(file: Path, _changed: int) -> ModuleType:
    """The file as a module; modules beside it can be imported."""
    name = f"outside_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CourseError(f"{file} cannot be run: {type(error).__name__}: {error}.") from error
    return module


def _described(cls: type, **known: Any) -> Entry:
    from course_lib.methods.base import Method

    about = dict(getattr(cls, "about", {}))
    kind = "supervised" if issubclass(cls, Method) else "classical"
    try:
        return Entry(
            **{"class_name": cls.__name__, "name": cls.__name__, "kind": kind, "cite": "—"}
            | about
            | known
        )
    except TypeError as error:
        raise CourseError(f"`about` of {cls.__name__} is not understood: {error}.") from error
