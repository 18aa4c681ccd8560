"""Writes the report: one folder with a page that opens from disk, needs no network, and says how
each of its numbers came about."""

import json
import os
import secrets
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_lib.benchmark import downloads, figures, strips, wording
from course_lib.benchmark import folder as own_folder
from course_lib.benchmark.boards import Board, Section
from course_lib.benchmark.grouping import Record, latest
from course_lib.benchmark.leaderboard import sections
from course_lib.benchmark.store import Store, beside
from course_lib.errors import CourseError

Methods = Mapping[str, Mapping[str, Any]]
TEMPLATES = Path(__file__).parent / "templates"
LARGEST_NOTEBOOK = 3 * 2**20  # bytes; larger ones stay in the store


def write_report(
    records: Sequence[Record],
    store: Path,
    folder: Path,
    title: str,
    methods: Methods | None = None,
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
        _build(records, Store(store), partial, title, methods)
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
        views=[_view(section, store, folder, methods or {}) for section in found],
        newest=max(record["started"] for record in records),
        superseded=len(records) - len(latest(records)),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _view(section: Section, store: Store, folder: Path, methods: Methods) -> dict[str, Any]:
    """What the template needs to show one section."""
    places = {record["key"]: store.place(record["key"]) for record in section.done}
    view = {
        "section": section,
        "name": wording.task_name(section.task),
        "boards": [_board_view(section, board) for board in section.boards],
        "figures": [],
        "strips": [],
        "jobs": _jobs(section, store, folder, methods),
        "failed": [
            {"record": r, "command": command(r), "name": _name(r, methods)} for r in section.failed
        ],
        "done_count": len(section.done),
        "failed_count": len(section.failed),
        **_origins(section),
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
        means = {id(row): row.estimates[metric].mean for row in board.ranked}
        lower = section.metrics[metric]["better"] == "lower"
        best[metric] = _best(means, lower, lambda x, m=metric: wording.number(x, digits[m]))
    for cost in ("predict_s_per_case", "peak_memory_mb"):
        best[cost] = _best({id(row): row.cost(cost) for row in board.ranked}, True, wording.short)
    ends = [x for row in board.ranked for x in row.estimates[section.headline] if x is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    scale = 100 / (high - low) if high > low else 0.0
    bars = {
        id(row): [None if x is None else (x - low) * scale for x in row.estimates[section.headline]]
        for row in board.ranked
    }
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
            f"{metric} of each test subject, mean over cases and seeds; the bar is the mean.",
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


def command(record: Record) -> str:
    """The command that runs a record's job again."""
    job = record["job"]
    words = ["course", "run", job["task"], job["method"], "--dataset", job["dataset"]]
    profile, mark, steps = job["profile"].partition("@")
    words += ["--profile", profile, *(["--steps", steps] if mark else [])]
    words += ["--seed", str(job["seed"])]
    words += ["--threads", str(job["threads"])] if "threads" in job else []
    for name, value in sorted((job.get("options") or {}).items()):
        words += ["--option", f"{name}={json.dumps(value)}"]
    return shlex.join(words)


def _name(record: Record, methods: Methods) -> str:
    method = record["job"]["method"]
    return methods.get(method, record.get("about", {"name": method}))["name"]


def _jobs(section: Section, store: Store, folder: Path, methods: Methods) -> list[dict[str, Any]]:
    """One entry per finished job, with its notebook copied beside the page."""
    jobs = []
    for record in section.done:
        job, settings = record["job"], record["settings"]
        notebook = None
        source = beside(store.place(record["key"]), record.get("notebook"))
        if source and source.stat().st_size <= LARGEST_NOTEBOOK:
            method = Path(job["method"]).stem  # a file's name, of a method from outside
            notebook = f"notebooks/{job['task']}-{method}-{record['key'][:12]}.ipynb"
            shutil.copyfile(source, folder / notebook)
        chosen = ", ".join(f"{k} = {v}" for k, v in settings["chosen"].items())
        jobs.append(
            {
                "name": _name(record, methods),
                "record": record,
                "command": command(record),
                "notebook": notebook,
                "chosen": chosen,
                "candidates": settings["candidates"],
                "chosen_on": settings["chosen_on"],
            }
        )
    return jobs


def _origins(section: Section) -> dict[str, Any]:
    """What was measured and simulated, from which data, by which software and machines."""
    done = section.done
    data = {(d["name"], d["sha256"], d["licence"]): d for r in done for d in r["data"]}
    versions: dict[str, list[str]] = {}
    for record in done:
        for name, version in record["versions"].items():
            known = versions.setdefault(name, [])
            if version and version not in known:
                known.append(version)
    restricted = sorted({d["name"] for d in data.values() if wording.non_commercial(d["licence"])})
    return {
        "notes": list(dict.fromkeys(note for r in done for note in r.get("notes", ()))),
        "provenance": list(dict.fromkeys(p for r in done for p in r["provenance"].items())),
        "data": list(data.values()),
        "versions": versions,
        "machines": Counter(wording.machine(record) for record in done).most_common(),
        "restricted": restricted,
    }
