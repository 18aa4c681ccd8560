"""From records to leaderboards: who is compared with whom, on which subjects, with which numbers.

Records are grouped by task → data set → its bytes → profile (a `Section`); numbers of different
sections are never compared. Inside a section each test group has its own `Board`. The first board
holds the test subjects never met in training; groups called "same patient …" are reported apart.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from statistics import fmean
from typing import Any

import numpy as np

from course_lib.benchmark import sets
from course_lib.benchmark.boards import SAME_PATIENT, Board, Row, Section
from course_lib.benchmark.grouping import (
    Bytes,
    Record,
    bytes_behind,
    latest,
    meaning,
    row_of,
    section_of,
)
from course_lib.benchmark.statistics import (
    Interval,
    difference_interval,
    holm,
    interval,
    paired_test,
    verdict,
)

MEANT_OTHERWISE = ("true", "false", "null", "True", "False", "None", "NaN", "Infinity")
UNKNOWN = {"name": "", "kind": "", "cite": "", "ref": "", "baseline": False}


def sections(
    records: Iterable[Record], methods: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Section]:
    """Sections in the order in which their tasks first occur in the records.

    Arguments:
        records: records of jobs (record.schema.json), several per job allowed.
        methods: method id → name, kind, cite, ref, baseline; without it no method is a baseline
            and nothing is compared.
    """
    records = list(records)
    known = bytes_behind(records)
    order = list(known)

    def place(record: Record) -> tuple[int, int]:
        of = section_of(record)
        return order.index(of), known[of].versions.index(known[of].of(record))

    kept = latest(records)
    kept.sort(key=lambda r: (place(r), row_of(r), r["job"]["seed"]))
    parts = [list(members) for _, members in groupby(kept, key=place)]
    return [_section(part, methods or {}, known[section_of(part[0])]) for part in parts]


def _section(
    records: list[Record], methods: Mapping[str, Mapping[str, Any]], data: Bytes
) -> Section:
    headline, metrics, disagreements = meaning(records)
    section = Section(
        *section_of(records[0]), headline, metrics, records, [], disagreements=disagreements
    )
    section.version = data.of(records[0])
    section.newer = section.version != data.versions[0]
    groups = list(dict.fromkeys(case["group"] for r in section.done for case in r["cases"]))
    groups.sort(key=lambda group: group.startswith(SAME_PATIENT))  # stable: else as listed
    section.boards = [_board(section, group, methods) for group in groups]
    return section


def _board(section: Section, group: str, methods: Mapping[str, Mapping[str, Any]]) -> Board:
    found = (c["subject"] for r in section.done for c in r["cases"] if c["group"] == group)
    subjects = list(dict.fromkeys(found))
    rows = [
        _row(section, group, subjects, list(members), methods.get(method))
        for (method, _), members in groupby(section.records, key=row_of)
    ]
    sign = 1 if section.higher_is_better else -1

    def order(row: Row) -> tuple:
        mean = row.estimates[section.headline].mean
        if mean is None:
            return True, row.privileged, 0.0, 0, row.name
        # Of two endless means the one with more perfect cases is the better.
        return False, row.privileged, -sign * mean, -row.perfect[section.headline], row.name

    rows.sort(key=order)
    _told_apart(rows)
    for row in rows:
        row.scored_at_all = row.estimates[section.headline].mean is not None
    for place, row in enumerate((r for r in rows if r.scored_at_all and not r.privileged), 1):
        row.rank = place
    best = next((row for row in rows if row.baseline and row.rank), None)
    board = Board(group, subjects, rows, best)
    if best:
        _compare(board, best, section, sign)
    return board


def _told_apart(rows: Iterable[Row]) -> None:
    """Adds the id, or the options, to names that several rows share."""
    for part in ("method", "options"):
        often = Counter(row.name for row in rows)
        for row in rows:
            if often[row.name] > 1:
                row.name += f" [{getattr(row, part)}]"


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
        name: [
            [(c["subject"], _value(c, record, name, spec)) for c in run]
            for record, run in zip(done, cases, strict=True)
        ]
        for name, spec in section.metrics.items()
    }
    values = {name: [v for run in runs for _, v in run] for name, runs in scores.items()}
    row = Row(
        method=job["method"],
        options=row_of(records[0])[1],
        name=(info["name"] or job["method"]) + _added(job.get("options") or {}, info),
        kind=info["kind"],
        cite=info["cite"],
        baseline=bool(info["baseline"]),
        done=done,
        failed=[record for record in records if record["status"] == "failed"],
        tables={name: subject_table(runs, subjects) for name, runs in scores.items()},
        runs=_runs(section, cases, subjects),
        cases=len({c["case"] for run in cases for c in run}),
        missing={name: sum(v is None for v in found) for name, found in values.items()},
        perfect={name: found.count(_perfect(section, name)) for name, found in values.items()},
        others={name: _mean_of_finite(found) for name, found in values.items()},
        privileged=any(record.get("privileged") for record in done),
    )
    row.estimates = {name: _estimate(section, row, name) for name in section.metrics}
    return row


def _value(case: Mapping, record: Record, name: str, spec: Mapping[str, str]) -> float | None:
    """A score; None where it is undefined or in another unit than the metric's."""
    said = record["metrics"].get(name)
    value = case["scores"].get(name) if said and said["unit"] == spec["unit"] else None
    return None if value is None or value != value else value


def _perfect(section: Section, name: str) -> float:
    """The score of an answer without a fault where it is endless, such as the PSNR of the truth."""
    return math.inf if section.metrics[name]["better"] == "higher" else -math.inf


def _mean_of_finite(values: Iterable[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(finite) if finite else None


def _runs(
    section: Section, cases: list[list[Mapping]], subjects: list[str]
) -> dict[str, list[sets.Run]]:
    """Metric of a set → each training's cases; only where every training kept what it takes."""
    place = {subject: index for index, subject in enumerate(subjects)}
    found = {}
    for name, spec in section.metrics.items():
        if spec.get("of_set"):
            runs = [sets.run(name, spec, run, place) for run in cases]
            kept = [run for run in runs if run is not None]
            if kept and len(kept) == len(runs):
                found[name] = kept
    return found


def _estimate(section: Section, row: Row, name: str) -> Interval:
    """Mean and interval. Of a set's score whose answers were not kept there is no interval: the
    shares of its cases cannot be drawn one by one."""
    if name in row.runs:
        return sets.interval(row.runs[name], len(row.tables[name]))
    whole = interval(row.tables[name])
    return Interval(whole.mean, None, None) if section.metrics[name].get("of_set") else whole


def _added(options: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """What a row's name says of its options: the name of the variant, if they are one."""
    for name, variant in (info.get("variants") or {}).items():
        if json.dumps(variant, sort_keys=True) == json.dumps(options, sort_keys=True):
            return f", {name}"
    said = ", ".join(f"{key}={_written(value)}" for key, value in sorted(options.items()))
    return f" ({said})" if said else ""


def _written(value: Any) -> str:
    """An option's value; text in quotes where it could be taken for something else."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w.+/-]*", value):
        return value if value not in MEANT_OTHERWISE else repr(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


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


def _compare(board: Board, best: Row, section: Section, sign: int) -> None:
    """Difference, test and verdict of each row against the best baseline.

    Only methods that are no baselines and see what they may see are tested: that is the question
    asked, and each further test would make the correction harsher. Nothing is tested where a few
    steps on a few cases only showed that the program runs.
    """
    name = section.headline
    for row in board.ranked:
        if row is best:
            continue
        row.difference = _difference(section, row, best)
        if row.baseline or row.privileged or section.smoke:
            continue
        test = paired_test(row.tables[name], best.tables[name])
        row.test = test if test.subjects > 1 else None
    for row, adjusted in zip(board.tested, holm([r.test.p for r in board.tested]), strict=True):
        row.holm_p = adjusted
        row.verdict = verdict(row.difference, adjusted, sign) if row.difference else ""


def _difference(section: Section, row: Row, best: Row) -> Interval:
    name, subjects = section.headline, len(row.tables[section.headline])
    if name in row.runs and name in best.runs:
        return sets.difference_interval(row.runs[name], best.runs[name], subjects)
    found = difference_interval(row.tables[name], best.tables[name])
    return Interval(found.mean, None, None) if section.metrics[name].get("of_set") else found
