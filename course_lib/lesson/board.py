"""The ranking of the default benchmark, with the learner's own runs between its rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_lib.benchmark.statistics import FEWEST, coverage
from course_lib.lesson.picture import Table
from course_lib.lesson.results import label_of


def leaderboard(section: str, store: str | Path = "runs", dataset: str | None = None) -> Table:
    """The default benchmark's ranking of a question, with the jobs of `store` between its rows.

    The shipped ranking is a report's `leaderboard.json`. Where there is one, jobs of another data
    set or profile are left out, because their numbers cannot be compared with it.

    Arguments:
        section: of the survey, such as `denoising`.
        dataset: leaves out all others, where a lesson has run several; by default all data sets of
            the section's main question.
    """
    from course_lib import catalogue
    from course_lib.benchmark.downloads import compact
    from course_lib.benchmark.leaderboard import sections
    from course_lib.benchmark.store import Store

    known = catalogue.question(section, dataset or next(iter(catalogue.datasets(section))))

    def asked(of: Mapping[str, Any]) -> bool:
        here = of["dataset"] == dataset if dataset else known.answers(of["dataset"])
        return of["task"] == section and here

    file = Path(__file__).parent / "leaderboards" / f"{section}.json"
    shipped = json.loads(file.read_text("utf-8"))["sections"] if file.is_file() else []
    shipped = [part for part in shipped if asked(part)]
    methods = {entry.id: entry.describe() for entry in catalogue.methods(section)}
    records = [record for record in Store(store).records() if asked(record["job"])]
    own = compact(sections(records, methods), "")["sections"]
    if shipped:
        own = [part for part in own if _place(part) in map(_place, shipped)]
    boards = [part["boards"][0] for part in (*shipped, *own) if part["boards"]]
    groups = dict.fromkeys(_tested(board) for board in boards)
    rows = [
        (row["scores"][known.headline], row["name"], row["fit_s"], f"{who}, {part['profile']}")
        for who, found in (("benchmark", shipped), ("your runs", own))
        for part in found
        for row in (part["boards"][0]["rows"] if part["boards"] else [])
        if row["rank"] and known.headline in row["scores"]
    ]
    higher = known.metrics[known.headline].better == "higher"
    rows.sort(key=lambda row: row[0]["mean"], reverse=higher)
    label = label_of(known.headline, {known.headline: vars(known.metrics[known.headline])})
    digits = 2 if known.metrics[known.headline].unit else 3
    cells = [
        [name, f"{e['mean']:.{digits}f}", _span(e, digits), f"{seconds:.0f}", who]
        for e, name, seconds, who in rows
    ]
    return Table(
        f"{known.title}, tested on {' and '.join(groups)}; best first"
        if rows
        else f"{known.title}: no run yet. `course bench` makes the ranking.",
        ["method", label, "interval", "training (s)", "from"],
        cells,
    )


def _tested(board: Mapping[str, Any]) -> str:
    """The group, how many subjects it has, and what intervals over so few are worth."""
    count = board["subjects"]
    said = f"{board['group']} ({count} subject{'s' if count != 1 else ''}"
    if count < FEWEST:
        return f"{said}: too few for an interval)"
    worth = coverage(count)
    return f"{said}; an interval holds the true mean {worth:.0%} of the time at best)"


def _place(section: Mapping[str, Any]) -> tuple[str, str]:
    """Numbers can be compared if these are the same."""
    return section["dataset"], section["profile"]


def _span(estimate: Mapping[str, Any], digits: int) -> str:
    low, high = estimate["low"], estimate["high"]
    return "—" if low is None else f"{low:.{digits}f} to {high:.{digits}f}"
