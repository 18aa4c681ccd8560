"""What a lesson shows: slices, physics, code, tables, and (from `results`) what runs have left."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_lib.lesson.board import leaderboard
from course_lib.lesson.cards import Card, Cards
from course_lib.lesson.claims import claim, seen
from course_lib.lesson.drawing import drawing
from course_lib.lesson.picture import COLOURS, MARKERS, Picture, Table, canvas, images
from course_lib.lesson.results import (
    curve,
    lines,
    mean_scores,
    outputs,
    strip,
    trade_off,
)

__all__ = [
    "card",
    "cards",
    "chapters",
    "claim",
    "curve",
    "drawing",
    "images",
    "leaderboard",
    "licences",
    "lines",
    "mean_scores",
    "noise_law",
    "outputs",
    "seen",
    "source",
    "strip",
    "trade_off",
]


def noise_law(thickness: Sequence[float], spread: Mapping[float, Sequence[float]]) -> Picture:
    """Measured noise of line integrals over the object's thickness, one curve for each dose.

    Arguments:
        thickness: line integrals p, no unit.
        spread: photons per ray → standard deviation of the noisy p at each thickness.
    """
    figure, (axis,) = canvas(width=6.5)
    for (photons, values), colour, marker in zip(spread.items(), COLOURS, MARKERS, strict=False):
        axis.semilogy(thickness, values, marker, color=colour, label=f"{photons:,.0f} photons")
        law = np.sqrt(np.exp(np.asarray(thickness)) / photons)
        axis.semilogy(thickness, law, color=colour, linewidth=1)
    axis.set(title="Noise of one ray: draws (marks) and the law √(eᵖ / N₀) (lines)")
    axis.set(xlabel="line integral p (thicker →)", ylabel="standard deviation of p")
    axis.legend(frameon=False)
    doses = ", ".join(f"{photons:,.0f}" for photons in spread)
    return Picture(
        figure,
        f"The noise of a ray grows with the thickness of the object and falls with the photons "
        f"({doses} per ray); the draws lie on the law.",
    )


def source(thing: Any):
    """The source code of a function, class or module, coloured. Of a method of a class, the whole
    class stands folded below it."""
    from IPython.display import Code

    whole = _class_of(thing)
    code = Code(inspect.getsource(thing), language="python")
    return Source(code, Code(inspect.getsource(whole), language="python")) if whole else code


class Source:
    """The code of one function of a class, and the whole class folded below it."""

    def __init__(self, part, whole) -> None:
        self.part, self.whole = part, whole

    def __repr__(self) -> str:
        return f"{self.part.data}\n\n# The whole class\n\n{self.whole.data}"

    def _repr_html_(self) -> str:
        return (
            f"{self.part._repr_html_()}<details><summary>The whole class</summary>"
            f"{self.whole._repr_html_()}</details>"
        )


def _class_of(thing: Any) -> type | None:
    """The class that a function stands in; None for all else."""
    outer = getattr(thing, "__qualname__", "").rpartition(".")[0]
    if not inspect.isfunction(thing) or not outer or "<" in outer:
        return None
    found: Any = inspect.getmodule(thing)
    for name in outer.split("."):
        found = getattr(found, name)
    return found


def card(method: str, question=None, splits=None, profile: str = "class", **options: Any) -> Card:
    """The paper card of a method.

    Arguments:
        question, splits, profile, options: as for `drawing`; without them nothing is drawn.
    """
    drawn = drawing(method, question, splits, profile, **options) if splits else None
    return Card(method, drawn)


def cards(*methods: str, on: tuple | None = None) -> Cards:
    """The paper cards of several methods, each folded.

    Arguments:
        on: (question, splits, profile), on which those that learn are drawn.
    """
    from course_lib import catalogue

    learn = {name: not catalogue.entry(name).baseline for name in methods}
    return Cards([card(name, *(on if on and learn[name] else ())) for name in methods])


def licences() -> Table:
    """The data sets of the course: what each is, its licence, and whether it is whole.

    Every file is hashed again, as `course data doctor` does.
    """
    from course_lib.data import fetch, registry

    rows = [
        [
            finding.name,
            registry.get(finding.name).title,
            finding.licence,
            finding.state + (f": {finding.repair}" if finding.repair else ""),
        ]
        for finding in fetch.doctor()
    ]
    return Table("Data sets of the course", ["name", "what it is", "licence", "state"], rows)


def chapters() -> Table:
    """The chapters of the course and the lessons that are there."""
    from course_lib.lesson.chapters import CHAPTERS, lesson_titles

    rows = [
        [each.title, each.question, each.survey, "; ".join(lesson_titles(each)) or "to come"]
        for each in CHAPTERS
    ]
    return Table("Chapters", ["chapter", "its question", "survey", "lessons"], rows)
