"""What the shipped leaderboard says of a method: its row, and whether its claim held there."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from course_lib import catalogue
from course_lib.benchmark.statistics import Comparison, Interval, verdict
from course_lib.benchmark.wording import FEW_SUBJECTS, metric_name
from course_lib.lesson.cards import About
from course_lib.lesson.claims import WORDS, brief, why

Part = Mapping[str, Any]
Line = Mapping[str, Any]
FOLDER = Path(__file__).parents[1] / "leaderboards"


@cache
def parts(section: str) -> tuple[Part, ...]:
    """The shipped parts of a section: one for each data set."""
    file = FOLDER / f"{section}.json"
    return tuple(json.loads(file.read_text("utf-8"))["sections"]) if file.is_file() else ()


def rows(method: str) -> Iterator[tuple[Part, Mapping[str, Any], Line]]:
    """(part, its board of unseen subjects, the method's row) for each data set that ranks it."""
    for part in parts(catalogue.entry(method).section):
        board = part["boards"][0]
        line = _line(board, method)
        if line:
            yield part, board, line


def _line(board: Mapping[str, Any], method: str) -> Line | None:
    return next((row for row in board["rows"] if row["method"] == method and row["rank"]), None)


def row(method: str) -> str:
    """The method's place and headline score on the first data set that ranks it, in a sentence."""
    for part, board, line in rows(method):
        name = part["headline"]
        spec, found = part["metrics"][name], line["scores"][name]
        span = f", {brief(found['low'])} to {brief(found['high'])}" if found["low"] else ""
        if board["subjects"] < 3:
            span = ""  # so few say nothing of how subjects differ
        ranked = sum(bool(each["rank"]) for each in board["rows"])
        return (
            f"place {line['rank']} of {ranked} on {part['dataset']} ({board['group']}, "
            f"{_people(board['subjects'])}, profile {part['profile']}): "
            f"{metric_name(name, spec)} {brief(found['mean'])}{_unit(spec)}{span}."
        )
    return "no row is shipped; `course run` makes one."


def held(method: str, about: About) -> str:
    """Whether a claim held on the shipped leaderboard: both scores, and the verdict."""
    for part, board, line in rows(method):
        rival = _line(board, about.rival)
        if rival and about.metric in line["scores"] and about.metric in rival["scores"]:
            spec = part["metrics"][about.metric]
            here, there = (row["scores"][about.metric] for row in (line, rival))
            if here["mean"] is None or there["mean"] is None:
                continue
            found, reason = _verdict(part, board, line, rival, about)
            return (
                f"{metric_name(about.metric, spec)} {brief(here['mean'])} against "
                f"{brief(there['mean'])}{_unit(spec)} of {catalogue.entry(about.rival).name}: "
                f"{WORDS[found]}{reason}."
            )
    return "not tested on the shipped leaderboard."


def _verdict(
    part: Part, board: Mapping[str, Any], line: Line, rival: Line, about: About
) -> tuple[str, str]:
    """`better`, `worse` or `open`, and what that rests on. Against the best baseline the board
    holds the paired test; against others only both intervals, and these must lie apart."""
    sign = 1 if part["metrics"][about.metric]["better"] == "higher" else -1
    subjects = board["subjects"]
    tested = about.rival == board["best_baseline"] and about.metric == part["headline"]
    if tested and line["difference"] and line["p_holm"] is not None:
        difference = Interval(*(line["difference"][k] for k in ("mean", "low", "high")))
        found = verdict(difference, line["p_holm"], sign)
        return found, why(found, Comparison(line["p_holm"], line["smallest_p"], subjects))
    if subjects < FEW_SUBJECTS:
        return "open", f" ({_people(subjects)}: too few)"
    here, there = (row["scores"][about.metric] for row in (line, rival))
    if None in (here["low"], there["low"]):
        return "open", f" ({_people(subjects)}, no interval)"
    apart = here["low"] > there["high"] or here["high"] < there["low"]
    if not apart:
        return "open", f" ({_people(subjects)}, the intervals overlap)"
    better = (here["mean"] - there["mean"]) * sign > 0
    return "better" if better else "worse", f" ({_people(subjects)}, the intervals lie apart)"


def _people(count: int) -> str:
    return f"{count} test subject{'s' if count != 1 else ''}"


def _unit(spec: Mapping[str, str]) -> str:
    return f" {spec['unit']}" if spec["unit"] else ""
