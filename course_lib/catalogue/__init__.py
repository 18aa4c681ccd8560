"""Which tasks and methods exist: explicit lists, so that reading them is enough.

A task's methods are listed in `catalogue/<task>.py`, and a method's file is
`methods/<task>/<id>.py`; ids and references are those of the survey of Wang & Qin (2020). No
method is imported before it is asked for.
"""

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from course_lib.catalogue.entry import Entry
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.methods.base import Classical, Method
    from course_lib.tasks.base import Task

TASKS: tuple[str, ...] = (
    "denoising",
    "super_resolution",
    "reconstruction_ct",
    "reconstruction_mr",
    "augmentation",
    "translation",
    "registration",
    "segmentation",
    "classification",
    "detection",
    "frontier",
)

METHODS: tuple[Entry, ...] = tuple(
    entry for task in TASKS for entry in import_module(f"course_lib.catalogue.{task}").METHODS
)


def _pick(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CourseError(
            f"There is no {kind} {name!r}.{hint} `course {kind}s` lists what there is."
        )


def entry(method: str) -> Entry:
    """The entry of a method id.

    Raises CourseError with the nearest name when there is none.
    """
    _pick("method", method, tuple(e.id for e in METHODS))
    return next(e for e in METHODS if e.id == method)


def methods(task: str) -> tuple[Entry, ...]:
    """All methods of a task, baselines first."""
    return tuple(e for e in METHODS if e.task == task)


def task(name: str) -> "Task":
    """The task of that name.

    Raises CourseError with the nearest name when there is none.
    """
    _pick("task", name, TASKS)
    return import_module(f"course_lib.tasks.{name}").TASK


def build(method: str, **options: Any) -> "Method | Classical":
    """A new, untrained method. Weights follow torch's global seed: see `device.seeded`.

    Raises CourseError when the method has no such option.
    """
    found = entry(method)
    cls = getattr(import_module(found.module), found.class_name)
    try:
        return cls(**options)
    except TypeError as error:
        raise CourseError(f"{found.name} cannot be built with {options}: {error}.") from error
