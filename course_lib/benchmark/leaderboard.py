"""From records to leaderboards: who is compared with whom, on which subjects, with which numbers.

Records are grouped by task → data set → profile (a `Section`); numbers of different sections are
never compared. Inside a section each test group has its own `Board`. The first board holds the
test subjects never met in training; groups called "same patient …" are reported apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from course_lib.benchmark.statistics import (
    Comparison,
    Interval,
    difference_interval,
    holm,
    interval,
    paired_test,
)

Record = Mapping[str, Any]
SAME_PATIENT = "same patient"
UNKNOWN = {"name": "", "kind": "", "cite": "", "ref": "", "baseline": False}


@dataclass
class Row:
    """One method (with its options) on one test group."""

    method: str
    name: str
    kind: str
    cite: str
    baseline: bool
    done: list[Record]
    failed: list[Record]
    tables: dict[str, np.ndarray]
    cases: int
    missing: dict[str, int]
    estimates: dict[str, Interval] = field(default_factory=dict)
    rank: int | None = None
    difference: Interval | None = None
    test: Comparison | None = None
    holm_p: float | None = None
    verdict: str = ""

    @property
    def seeds(self) -> list[int]:
        """Seeds of the jobs that finished."""
        return [record["job"]["seed"] for record in self.done]

    @property
    def learns(self) -> bool:
        """Whether the method was trained at all; without a finished job, nobody knows: True."""
        return not self.done or any(record["steps"] > 0 for record in self.done)

    def scored(self, metric: str) -> int:
        """How many subjects have at least one defined score."""
        return int((~np.isnan(self.tables[metric])).any(axis=1).sum())

    def cost(self, name: str) -> float | None:
        """Mean over seeds of `fit`, `predict`, `total` (s) or of a number of the record."""
        values = [r["wall_s"].get(name, r.get(name)) for r in self.done]
        values = [value for value in values if value is not None]
        return float(np.mean(values)) if values else None


@dataclass
class Board:
    """The ranked rows of one test group."""

    group: str
    subjects: list[str]
    rows: list[Row]
    best_baseline: Row | None

    @property
    def apart(self) -> bool:
        """Whether these subjects were also met in training."""
        return self.group.startswith(SAME_PATIENT)

    @property
    def ranked(self) -> list[Row]:
        """The rows with a headline score, best first."""
        return [row for row in self.rows if row.rank]

    @cached_property
    def tested(self) -> list[Row]:
        """The rows compared with the best baseline by the paired test."""
        return [row for row in self.rows if row.test]


@dataclass
class Section:
    """All that was run of one task, on one data set, in one profile."""

    task: str
    dataset: str
    profile: str
    headline: str
    metrics: dict[str, dict[str, str]]
    records: list[Record]
    boards: list[Board]

    @property
    def done(self) -> list[Record]:
        """Records of finished jobs."""
        return [record for record in self.records if record["status"] == "done"]

    @property
    def failed(self) -> list[Record]:
        """Records of failed jobs."""
        return [record for record in self.records if record["status"] == "failed"]

    @property
    def higher_is_better(self) -> bool:
        """The direction of the headline metric."""
        return self.metrics[self.headline]["better"] == "higher"

    @property
    def slug(self) -> str:
        """A name for files and anchors."""
        text = f"{self.task}-{self.dataset}-{self.profile}".lower()
        return "".join(letter if letter.isalnum() else "-" for letter in text)


def latest(records: Iterable[Record]) -> list[Record]:
    """One record per job: the one started last, so that a repeated failure or an older version of
    the code does not count twice."""
    newest: dict[tuple, Record] = {}
    for record in sorted(records, key=lambda r: r["started"]):
        newest[_section_of(record) + _row_of(record) + (record["job"]["seed"],)] = record
    return list(newest.values())


def sections(
    records: Iterable[Record], methods: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Section]:
    """Sections in the order in which their tasks first occur in the records.

    Arguments:
        records: records of jobs (record.schema.json), several per job allowed.
        methods: method id → name, kind, cite, ref, baseline; without it no method is a baseline
            and nothing is compared.
    """
    kept = latest(records)
    order = list(dict.fromkeys(_section_of(record) for record in records))
    kept.sort(key=lambda r: (order.index(_section_of(r)), _row_of(r), r["job"]["seed"]))
    return [_section(list(members), methods or {}) for _, members in groupby(kept, key=_section_of)]


def _section_of(record: Record) -> tuple:
    job = record["job"]
    return job["task"], job["dataset"], job["profile"]


def _row_of(record: Record) -> tuple:
    options = record["job"].get("options") or {}
    return record["job"]["method"], ", ".join(f"{k}={v}" for k, v in sorted(options.items()))


def _section(records: list[Record], methods: Mapping[str, Mapping[str, Any]]) -> Section:
    task, dataset, profile = _section_of(records[0])
    done = [record for record in records if record["status"] == "done"]
    metrics = {name: spec for record in done for name, spec in record["metrics"].items()}
    headline = done[0]["headline"] if done else ""
    section = Section(task, dataset, profile, headline, metrics, records, [])
    groups = list(dict.fromkeys(case["group"] for record in done for case in record["cases"]))
    groups.sort(key=lambda group: group.startswith(SAME_PATIENT))  # stable: else as listed
    section.boards = [_board(section, group, methods) for group in groups]
    return section


def _board(section: Section, group: str, methods: Mapping[str, Mapping[str, Any]]) -> Board:
    found = (c["subject"] for r in section.done for c in r["cases"] if c["group"] == group)
    subjects = list(dict.fromkeys(found))
    rows = [
        _row(section, group, subjects, list(members), methods.get(method))
        for (method, _), members in groupby(section.records, key=_row_of)
    ]
    sign = 1 if section.higher_is_better else -1

    def order(row: Row) -> tuple:
        mean = row.estimates[section.headline].mean
        return (mean is None, -sign * mean if mean is not None else 0.0, row.name)

    rows.sort(key=order)
    for place, row in enumerate(rows, start=1):
        row.rank = place if row.estimates[section.headline].mean is not None else None
    best = next((row for row in rows if row.baseline and row.rank), None)
    board = Board(group, subjects, rows, best)
    if best:
        _compare(board, section.headline, sign)
    return board


def _row(
    section: Section,
    group: str,
    subjects: list[str],
    records: list[Record],
    known: Mapping[str, Any] | None,
) -> Row:
    job = records[0]["job"]
    info = known or next((r["about"] for r in records if "about" in r), UNKNOWN)
    done = [record for record in records if record["status"] == "done"]
    cases = [[c for c in record["cases"] if c["group"] == group] for record in done]
    scores = {
        name: [[(c["subject"], c["scores"].get(name)) for c in run] for run in cases]
        for name in section.metrics
    }
    row = Row(
        method=job["method"],
        name=(info["name"] or job["method"]) + _added(job.get("options") or {}, info),
        kind=info["kind"],
        cite=info["cite"],
        baseline=bool(info["baseline"]),
        done=done,
        failed=[record for record in records if record["status"] == "failed"],
        tables={name: subject_table(runs, subjects) for name, runs in scores.items()},
        cases=len({c["case"] for run in cases for c in run}),
        missing={n: sum(v is None for run in runs for _, v in run) for n, runs in scores.items()},
    )
    row.estimates = {name: interval(table) for name, table in row.tables.items()}
    return row


def _added(options: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """What a row's name says of its options: the name of the variant, if they are one."""
    for name, variant in (info.get("variants") or {}).items():
        if variant == options:
            return f", {name}"
    said = ", ".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f" ({said})" if said else ""


def subject_table(
    runs: Sequence[Sequence[tuple[str, float | None]]], subjects: Sequence[str]
) -> np.ndarray:
    """Scores averaged over the cases of each subject, shape (subjects, runs); NaN: none defined.

    >>> subject_table([[("a", 1.0), ("a", 3.0), ("b", None)]], ["a", "b"]).tolist()
    [[2.0], [nan]]
    """
    place = {subject: index for index, subject in enumerate(subjects)}
    total, count = np.zeros((2, len(subjects), max(len(runs), 1)))
    for column, run in enumerate(runs):
        for subject, value in run:
            if value is not None:
                total[place[subject], column] += value
                count[place[subject], column] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _compare(board: Board, headline: str, sign: int) -> None:
    """Difference, test and verdict of each row against the best baseline.

    Only methods that are no baselines are tested: that is the question asked, and each further
    test would make the correction harsher.
    """
    base = board.best_baseline.tables[headline]
    for row in board.ranked:
        if row is board.best_baseline:
            continue
        row.difference = difference_interval(row.tables[headline], base)
        row.verdict = _verdict(row.difference, sign)
        test = paired_test(row.tables[headline], base)
        if not row.baseline and test.subjects > 1:
            row.test = test
    for row, adjusted in zip(board.tested, holm([r.test.p for r in board.tested]), strict=True):
        row.holm_p = adjusted


def _verdict(difference: Interval, sign: int) -> str:
    """'better', 'worse', 'open' (the interval holds 0) or '' (no interval)."""
    if difference.low is None:
        return ""
    if difference.low <= 0 <= difference.high:
        return "open"
    return "better" if difference.low * sign > 0 else "worse"
