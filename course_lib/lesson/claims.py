"""Claims of papers, judged on the learner's own runs: as claimed, cannot tell, not as claimed.

The rule is the report's (`benchmark.statistics.verdict`): the paired difference over subjects must
pass a test, and its interval must leave out 0. Two or four subjects can never pass; to see that is
part of the lesson. In `smoke` nothing is trained, and nothing is judged.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from course_lib.benchmark import sets
from course_lib.benchmark.boards import Row
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.statistics import (
    ALPHA,
    Comparison,
    Interval,
    difference_interval,
    paired_test,
    verdict,
)
from course_lib.benchmark.wording import FEW_SUBJECTS

Record = Mapping[str, Any]
Side = Record | tuple[Record, Record]
WORDS = {
    "better": "as claimed",
    "open": "cannot tell",
    "worse": "NOT as claimed",
    "": "cannot tell",
}
NOTHING_LEARNT = "no verdict in `smoke`, where nothing is trained long enough"


class Scores(NamedTuple):
    """What one side of a comparison scored. table: (subjects, seeds). runs: where the metric is
    one of whole sets. A gain over a second method is a table of differences."""

    subjects: tuple[str, ...]
    table: np.ndarray
    mean: float | None
    runs: list[sets.Run] | None


def claim(text: str, better: Side, worse: Side, metric: str) -> str:
    """One sentence: both scores, their paired difference over the test subjects unseen in training
    with its interval, and the verdict.

    Arguments:
        text: the claim.
        better, worse: records of `run_here`, the one that is claimed to be better first; or pairs
            (method, other), whose gain over the other is compared.
        metric: in which the claim must show.
    """
    first = better if isinstance(better, Mapping) else better[0]
    spec = first["metrics"][metric]
    one, other = (_scores(side, metric) for side in (better, worse))
    if one.mean is None or other.mean is None:
        return f"{text}: not defined in this run, which is too small for it."
    said = f"{text}: {brief(one.mean)} against {brief(other.mean)}{_unit(spec)}"
    if first["job"]["profile"].startswith("smoke"):
        return f"{said}; {NOTHING_LEARNT}."
    if one.subjects != other.subjects:
        return f"{said}; cannot tell, the test subjects are not the same."
    difference, test = _compared(one, other, spec)
    found = verdict(difference, test.p, 1 if spec["better"] == "higher" else -1)
    return f"{said}, {_difference(difference, spec)}: {WORDS[found]}{why(found, test)}."


def seen(text: str, higher: float, lower: float, unit: str) -> str:
    """One sentence on a claim of which this lesson has single numbers only: what was seen, without
    a verdict."""
    if higher != higher or lower != lower:
        return f"{text}: not defined in this run, which is too small for it."
    side = "so it looks here" if higher > lower else "here it does not look so"
    return (
        f"{text}: {brief(higher)} against {brief(lower)} {unit}; {side}, but cannot tell: single "
        "numbers have no interval."
    )


def why(found: str, test: Comparison) -> str:
    """What the verdict rests on, in brackets."""
    people = f"{test.subjects} test subject{'s' if test.subjects != 1 else ''}"
    if test.p is None:
        return f" ({people})"
    if found == "open" and test.subjects < FEW_SUBJECTS:
        return f" ({people}: even if all agree, p is {test.smallest_p:.2g}, above {ALPHA})"
    return f" ({people}, p = {test.p:.2g})"


def brief(value: float | None) -> str:
    """A score in words: one decimal, or three digits where it lies between −1 and 1."""
    if value is None or value != value:
        return "undefined"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"


def _unit(spec: Mapping[str, str]) -> str:
    return f" {spec['unit']}" if spec["unit"] else ""


def _difference(found: Interval, spec: Mapping[str, str]) -> str:
    said = f"a difference of {brief(found.mean)}{_unit(spec)}"
    if found.low is None:
        return f"{said} without an interval"
    return f"{said} ({brief(found.low)} to {brief(found.high)})"


def _scores(side: Side, metric: str) -> Scores:
    if isinstance(side, Mapping):
        board = sections([side])[0].boards[0]
        row: Row = board.rows[0]
        mean = row.estimates[metric].mean
        return Scores(tuple(board.subjects), row.tables[metric], mean, row.runs.get(metric))
    one, other = (_scores(record, metric) for record in side)
    if one.mean is None or other.mean is None or one.subjects != other.subjects:
        return Scores(one.subjects, one.table, None, None)
    return Scores(one.subjects, one.table - other.table, one.mean - other.mean, None)


def _compared(one: Scores, other: Scores, spec: Mapping[str, str]) -> tuple[Interval, Comparison]:
    test = paired_test(one.table, other.table)
    if one.runs and other.runs:
        return sets.difference_interval(one.runs, other.runs, len(one.subjects)), test
    found = difference_interval(one.table, other.table)
    return (Interval(found.mean, None, None) if spec.get("of_set") else found), test
