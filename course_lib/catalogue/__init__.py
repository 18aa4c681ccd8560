"""Which sections, questions and methods exist: explicit lists, so that reading them is enough.

A section's questions and methods are listed in `catalogue/<section>.py`. A question's file is
`tasks/<section>/<question>.py`, a method's is `methods/<section>/<id>.py`; ids and references are
those of the survey of Wang & Qin (2020). No question or method is imported before it is asked for.
"""

import difflib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from course_lib.catalogue import outside
from course_lib.catalogue.entry import Entry, Section
from course_lib.catalogue.values import fault
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from course_lib.methods.base import Classical, Method
    from course_lib.tasks.base import Question

SECTIONS: tuple[str, ...] = (
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
    replace(entry, section=name)
    for name in SECTIONS
    for entry in import_module(f"course_lib.catalogue.{name}").METHODS
)


def _pick(kind: str, name: str, known: Iterable[str]) -> None:
    known = tuple(known)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CourseError(
            f"There is no {kind} {name!r}.{hint} `course {kind}s` lists what there is."
        )


def section(name: str) -> Section:
    """The section of that name.

    Raises CourseError with the nearest name when there is none.
    """
    _pick("task", name, SECTIONS)
    return replace(import_module(f"course_lib.catalogue.{name}").SECTION, id=name)


def questions(name: str) -> Iterator["Question"]:
    """The questions of a section, the main one first, the user's own data last."""
    for question in section(name).questions:
        yield import_module(f"course_lib.tasks.{name}.{question}").QUESTION


def datasets(name: str) -> dict[str, tuple[str, ...]]:
    """Data set of a section → the registry names it is made from; the first one is the default."""
    from course_lib.cases import PATH

    return {
        dataset: needed
        for question in questions(name)
        for dataset, needed in question.sources.items()
        if dataset != PATH
    }


def question(name: str, dataset: str) -> "Question":
    """What a section asks of a data set, or of the user's own (`path:…`).

    Raises CourseError that names the section's data sets when it has no such one.
    """
    found = next((q for q in questions(name) if q.answers(dataset)), None)
    if found is None:
        known = datasets(name)
        near = difflib.get_close_matches(dataset, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CourseError(f"{name} has no data set {dataset!r}; it has: {', '.join(known)}.{hint}")
    return found


def entry(method: str) -> Entry:
    """The entry of a method: its id in the catalogue, or `path:my_method.py`.

    Raises CourseError with the nearest name when there is none.
    """
    if outside.is_outside(method):
        return outside.entry(method)
    known = {e.id: e for e in METHODS}
    if method not in known:
        known |= {e.id: e for e in outside.installed()}
    _pick("method", method, known)
    return known[method]


def methods(name: str) -> tuple[Entry, ...]:
    """All methods of a section, baselines first, those of installed packages last."""
    return tuple(e for e in (*METHODS, *outside.installed()) if e.section == name)


def fits(entry: Entry, dataset: str) -> bool:
    """Whether a method can answer what its section asks of a data set."""
    from course_lib.cases import PATH, is_own

    if entry.datasets and (PATH if is_own(dataset) else dataset) not in entry.datasets:
        return False
    return not entry.questions or question(entry.section, dataset).id in entry.questions


def method_class(method: str) -> type:
    """The class of a method."""
    found = entry(method)
    if found.file is None:
        return getattr(import_module(found.module), found.class_name)
    return outside.load(method) if outside.is_outside(method) else outside.installed_class(method)


def options(method: str) -> dict[str, Any]:
    """A method's options with their defaults."""
    parameters = inspect.signature(method_class(method)).parameters.values()
    return {
        p.name: p.default for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


def build(method: str, **chosen: Any) -> "Method | Classical":
    """A method with its options; `fit`, or `fresh` for a data set's facts, makes its networks.

    Raises CourseError when the method has no such option, or not with such a value.
    """
    known = options(method)
    for name, value in chosen.items():
        if name not in known:
            has = f"its options: {', '.join(known)}" if known else "it has none"
            raise CourseError(f"{entry(method).name} has no option {name!r}; {has}.")
        wrong = fault(value, known[name], own=entry(method).file is None)
        if wrong:
            raise CourseError(
                f"{entry(method).name} takes {name!r} as one of the kind of {known[name]!r}, "
                f"its default, not {value!r}, which {wrong}."
            )
    return method_class(method)(**chosen)
