"""The report's numbers as files: two CSV tables, a compact leaderboard and the records themselves.

- `leaderboard.csv`: one line per section, test group, method and metric.
- `cases.csv`: one line per job, case and metric; an empty value is an undefined score.
- `leaderboard.json`: what lessons read to show a chapter's leaderboard.
- `records.json`: every record that the report counted, as the jobs left it.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from course_lib.benchmark.boards import Board, Row, Section
from course_lib.benchmark.statistics import Interval
from course_lib.benchmark.store import write_json

# fmt: off
LEADERBOARD = [
    "task", "dataset", "profile", "group", "rank", "method", "kind", "baseline",
    "metric", "unit", "better", "mean", "low", "high", "undefined",
    "subjects", "cases", "seeds", "failed",
    "difference", "difference_low", "difference_high", "p", "p_holm", "smallest_p",
    "fit_s", "predict_s_per_case", "peak_memory_mb", "parameters",
    "method_id", "options", "data_version", "privileged", "verdict",
]
CASES = [
    "task", "dataset", "profile", "method", "options", "seed", "key", "group", "subject", "case",
    "metric", "unit", "value", "data_version",
]
# fmt: on


def write(sections: list[Section], title: str, folder: Path) -> None:
    """Writes the four files into `folder`."""
    folder.mkdir(parents=True)
    _csv(folder / "leaderboard.csv", LEADERBOARD, _leaderboard_lines(sections))
    _csv(folder / "cases.csv", CASES, _case_lines(sections))
    write_json(folder / "leaderboard.json", compact(sections, title))
    write_json(folder / "records.json", [record for s in sections for record in s.records])


def compact(sections: list[Section], title: str) -> dict[str, Any]:
    """The leaderboards as plain data: sections → boards → rows."""
    return {
        "schema": 1,
        "title": title,
        "sections": [
            {
                "task": section.task,
                "dataset": section.dataset,
                "profile": section.profile,
                "version": section.version,
                "newer": section.newer,
                "headline": section.headline,
                "metrics": section.metrics,
                "boards": [
                    {
                        "group": board.group,
                        "apart": board.apart,
                        "subjects": len(board.subjects),
                        "best_baseline": board.best_baseline and board.best_baseline.method,
                        "rows": [_compact_row(row) for row in board.rows],
                    }
                    for board in section.boards
                ],
            }
            for section in sections
        ],
    }


def _compact_row(row: Row) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "method": row.method,
        "options": json.loads(row.options),
        "privileged": row.privileged,
        "name": row.name,
        "kind": row.kind,
        "cite": row.cite,
        "baseline": row.baseline,
        "scores": {name: _limits(estimate) for name, estimate in row.estimates.items()},
        "difference": _limits(row.difference),
        "verdict": row.verdict or None,
        "p": row.test and row.test.p,
        "p_holm": row.holm_p,
        "smallest_p": row.test and row.test.smallest_p,
        "fit_s": row.cost("fit"),
        "predict_s_per_case": row.cost("predict_s_per_case"),
        "peak_memory_mb": row.cost("peak_memory_mb"),
        "parameters": row.cost("parameters"),
        "cases": row.cases,
        "seeds": row.seeds,
        "failed": len(row.failed),
        "keys": [record["key"] for record in row.done],
    }


def _limits(estimate: Interval | None) -> dict[str, float | None] | None:
    return estimate and estimate._asdict()


def _leaderboard_lines(sections: Iterable[Section]) -> Iterator[list]:
    for section in sections:
        for board in section.boards:
            for row in board.rows:
                for metric in section.metrics:
                    yield _leaderboard_line(section, board, row, metric)


def _leaderboard_line(section: Section, board: Board, row: Row, metric: str) -> list:
    spec, main = section.metrics[metric], metric == section.headline
    difference = row.difference if main and row.difference else Interval(None, None, None)
    p = (row.test.p, row.holm_p, row.test.smallest_p) if main and row.test else (None,) * 3
    costs = ("fit", "predict_s_per_case", "peak_memory_mb", "parameters")
    return [
        *(section.task, section.dataset, section.profile, board.group),
        *(row.rank, row.name, row.kind, row.baseline, metric, spec["unit"], spec["better"]),
        *row.estimates[metric],
        *(row.missing[metric], len(board.subjects), row.cases, len(row.seeds), len(row.failed)),
        *difference,
        *p,
        *(row.cost(name) for name in costs),
        *(row.method, row.options, section.version, row.privileged, row.verdict if main else ""),
    ]


def _case_lines(sections: Iterable[Section]) -> Iterator[list]:
    for section in sections:
        for record in section.done:
            job = record["job"]
            options = json.dumps(job.get("options") or {}, sort_keys=True)
            start = [job["task"], job["dataset"], job["profile"], job["method"], options]
            for case in record["cases"]:
                place = [case["group"], case["subject"], case["case"]]
                for metric, value in case["scores"].items():
                    unit = record["metrics"].get(metric, {}).get("unit", "")
                    line = [*start, job["seed"], record["key"], *place, metric, unit, value]
                    yield [*line, section.version]


def _csv(path: Path, header: list[str], lines: Iterable[list]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([_harmless(cell) for cell in line] for line in lines)


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would compute, made to be read as a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(tuple("=+-@\t\r")) else cell
