"""Writes the report: one folder with a page that opens from disk, needs no network, and says how
each of its numbers came about."""

import math
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_lib.benchmark import downloads, figures, masking, origins, strips, wording
from course_lib.benchmark import folder as own_folder
from course_lib.benchmark.boards import Board, Section
from course_lib.benchmark.grouping import Record, latest
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.origins import Methods, command
from course_lib.benchmark.statistics import Interval
from course_lib.benchmark.store import Store
from course_lib.cases import is_own
from course_lib.errors import CourseError

TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    records: Sequence[Record],
    store: Path,
    folder: Path,
    title: str,
    methods: Methods | None = None,
    names: bool = False,
) -> Path:
    """Writes the report of some records and returns the path of its page.

    The folder is built beside its place and swapped in whole, so that a reader never meets half a
    report. The same records give the same bytes.

    Arguments:
        records: as in record.schema.json.
        store: the folder of records, where pictures and notebooks are looked for.
        folder: the report; replaced if it is one already.
        title: heading of the page.
        methods: method id → name, kind, cite, ref, baseline.
        names: show folders, and subjects of data of one's own, as they are: see `masking`.

    Raises CourseError when there are no records, or `folder` holds anything that no report wrote.
    """
    if not records:
        raise CourseError(
            f"There are no records in {store}, so there is nothing to report. "
            "Run a benchmark first: course bench"
        )
    folder = own_folder.checked(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    partial, aside = (folder.with_name(f".{folder.name}-{mark}{end}") for end in ("", "-old"))
    try:
        shown = records if names else masking.records(records)
        _build(shown, Store(store), partial, title, methods, names)
        own_folder.sealed(partial)
        if folder.exists():
            os.replace(folder, aside)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
    return folder / "index.html"


def _build(
    records: Sequence[Record],
    store: Store,
    folder: Path,
    title: str,
    methods: Methods | None,
    names: bool,
) -> None:
    import jinja2

    for part in ("assets", "figures", "images", "notebooks"):
        (folder / part).mkdir(parents=True)
    for asset in ("report.css", "report.js"):
        shutil.copyfile(TEMPLATES / asset, folder / "assets" / asset)
    for kind in ("grey", "signed"):
        strips.colour_bar(kind, folder / "assets" / f"bar-{kind}.webp")
    found = sections(records, methods)
    downloads.write(found, title, folder / "data")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["wording"] = wording
    environment.filters["object_id"] = id
    page = environment.get_template("index.html").render(
        title=title,
        views=[_view(section, store, folder, methods or {}, names) for section in found],
        newest=max(record["started"] for record in records),
        superseded=len(records) - len(latest(records)),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _view(
    section: Section, store: Store, folder: Path, methods: Methods, names: bool
) -> dict[str, Any]:
    """What the template needs to show one section."""
    places = {record["key"]: store.place(record["key"]) for record in section.done}
    view = {
        "section": section,
        "name": wording.task_name(section.task),
        "boards": [_board_view(section, board) for board in section.boards],
        "figures": [],
        "strips": [],
        "own": is_own(section.dataset),
        "remarks": wording.remarks(section),
        "jobs": origins.jobs(section, store, folder, methods, names),
        "failed": [
            {"record": r, "command": command(r), "name": origins.name(r, methods)}
            for r in section.failed
        ],
        "done_count": len(section.done),
        "failed_count": len(section.failed),
        **origins.origins(section),
    }
    if section.boards:
        main = section.boards[0]
        view["figures"] = _figures(section, main, folder)
        view["strips"] = strips.strips(section, main, places, folder / "images" / section.slug)
        view["rule"] = strips.rule(section, main)
        view["windows"] = strips.windows(section)
    return view


def _board_view(section: Section, board: Board) -> dict[str, Any]:
    """A leaderboard with its columns, the best of each, and the places of the interval bars."""
    columns = [section.headline, *(name for name in section.metrics if name != section.headline)]
    digits = {m: wording.decimals(row.estimates[m] for row in board.rows) for m in columns}
    best = {}
    for metric in columns:
        means = {id(row): row.estimates[metric].mean for row in board.ranked if row.rank}
        lower = section.metrics[metric]["better"] == "lower"
        best[metric] = _best(means, lower, lambda x, m=metric: wording.number(x, digits[m]))
    for cost in ("predict_s_per_case", "peak_memory_mb"):
        best[cost] = _best({id(row): row.cost(cost) for row in board.ranked}, True, wording.short)
    bars = _bars({id(row): row.estimates[section.headline] for row in board.ranked})
    return {
        "board": board,
        "columns": columns,
        "digits": digits,
        "difference_digits": wording.decimals(r.difference for r in board.rows if r.difference),
        "best": best,
        "bars": bars,
        "findings": wording.findings(section, board),
        "cautions": wording.cautions(section, board),
        "note": wording.p_note(board),
    }


def _bars(estimates: Mapping[int, Interval]) -> dict[int, list[float | None]]:
    """Where means and limits lie between the lowest and the highest of all, in percent; none for
    endless means."""
    drawn = {row: e for row, e in estimates.items() if e.mean is not None and math.isfinite(e.mean)}
    ends = [x for estimate in drawn.values() for x in estimate if x is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    scale = 100 / (high - low) if high > low else 0.0
    return {
        row: [None if x is None else (x - low) * scale for x in estimate]
        for row, estimate in drawn.items()
    }


def _best(
    values: Mapping[int, float | None], lower: bool, written: Callable[[float], str]
) -> list[int]:
    """The rows that, as written, show the best value of a column; none where all show the same."""
    known = {row: value for row, value in values.items() if value is not None}
    if not known:
        return []
    best = written(min(known.values()) if lower else max(known.values()))
    rows = [row for row, value in known.items() if written(value) == best]
    return rows if len(rows) < len(known) else []


def _figures(section: Section, board: Board, folder: Path) -> list[dict[str, str]]:
    """Draws the plots of a section; each with caption and alternative text."""
    metric = wording.metric_name(section.headline, section.metrics[section.headline])
    of_cases = section.case_metric or section.headline
    case_metric = wording.metric_name(of_cases, section.metrics[of_cases])
    names = wording.listed(row.name for row in board.ranked) if board.ranked else ""
    seeds = "thin lines are single seeds, the thick line is their mean"
    plots = [
        (
            "quality",
            figures.quality_against_time,
            f"{metric} against time",
            f"{metric} of “{board.group}” with 95% interval against the seconds of one job. "
            f"Less than {figures.SHORTEST_S} s is drawn at {figures.SHORTEST_S} s.",
        ),
        (
            "subjects",
            figures.subjects,
            "Single subjects",
            f"{case_metric} of each test subject, mean over cases and seeds; the bar is the mean.",
        ),
    ]
    for against in ("step", "seconds"):

        def curve(s: Section, b: Board, path: Path, against: str = against) -> Path | None:
            return figures.learning_curves(s, b, path, against)

        label = "steps" if against == "step" else against
        text = f"{metric} on validation subjects while training; {seeds}."
        plots.append((f"curve-{against}", curve, f"Learning curves, {label}", text))
    drawn = []
    for name, draw, title, caption in plots:
        path = draw(section, board, folder / "figures" / f"{section.slug}-{name}.svg")
        if path:
            alt = f"{title}. Methods: {names}. The numbers are in the tables and in the downloads."
            width, height = figures.size(path)
            size = {"width": width, "height": height}
            drawn.append({"file": path.name, "title": title, "caption": caption, "alt": alt} | size)
    return drawn
