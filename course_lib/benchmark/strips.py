"""Image strips: the best, median and worst case of a task, chosen by rule and not by hand.

The rule: the reference is the best baseline (the best method where no baseline was run) and its
first seed; its cases of the board's test group that have pictures are sorted by the headline
metric, or by the first metric that single cases have; the first, the middle and the last are shown
for every method.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from matplotlib import colormaps
from PIL import Image

from course_lib.benchmark.boards import Board, Row, Section
from course_lib.benchmark.grouping import Record, slug
from course_lib.benchmark.store import beside
from course_lib.benchmark.wording import decimals, metric_name, number

LOG = logging.getLogger(__name__)
SIGNED_MAP = "PuOr"  # safe for colour-blind eyes: orange below zero, purple above
SMALL = 200  # pixels; smaller pictures are doubled, each pixel a 2 × 2 block


@dataclass(frozen=True)
class Picture:
    """One picture file with what it shows."""

    file: str
    alt: str
    label: str
    detail: str
    width: int
    height: int


@dataclass(frozen=True)
class Strip:
    """All pictures of one case: columns of the shared panels, then one column per method."""

    title: str
    case: str
    note: str
    columns: list[list[Picture]]

    @property
    def rows(self) -> int:
        """Pictures in the tallest column."""
        return max(map(len, self.columns))

    @property
    def per_row(self) -> int:
        """At most six columns side by side, spread evenly over the lines that this takes."""
        lines = math.ceil(len(self.columns) / 6)
        return math.ceil(len(self.columns) / lines)


def rule(section: Section, board: Board) -> str:
    """The rule as the page prints it."""
    reference = _reference(board)
    if reference is None:
        return ""
    role = "best baseline" if board.best_baseline else "best method, as no baseline was run"
    chosen = section.case_metric or section.headline
    metric = metric_name(chosen, section.metrics[chosen])
    if section.case_metric is None:
        return f"The first, the middle and the last case of “{board.group}” in the order of names."
    return (
        f"Chosen by rule: the cases of “{board.group}” sorted by the {metric} of {reference.name} "
        f"({role}), seed {reference.seeds[0]}; shown are the first, the middle and the last."
    )


def windows(section: Section) -> list[dict[str, Any]]:
    """The different ways in which pictures are shown: kind, window, unit and their panels."""
    found: dict[tuple, dict[str, Any]] = {}
    for record in section.done:
        for panel in (record.get("pictures") or {}).get("panels", []):
            window = tuple(panel.get("window") or ())
            key = (panel["kind"], window, panel.get("unit"))
            entry = found.setdefault(
                key, {"kind": key[0], "window": window, "unit": key[2] or "", "panels": []}
            )
            if panel["name"] not in entry["panels"]:
                entry["panels"].append(panel["name"])
    return list(found.values())


def strips(section: Section, board: Board, places: Mapping[str, Path], folder: Path) -> list[Strip]:
    """Writes the pictures of three cases and returns their strips.

    Arguments:
        section, board: what to show.
        places: key of a job → the folder that holds its `pictures.npz`.
        folder: where the picture files go; `Picture.file` is relative to it.
    """
    reference = _reference(board)
    if reference is None:
        return []
    seed = reference.seeds[0]
    shown = [(row, _of_seed(row, seed)) for row in board.ranked]
    opened = {}
    for row, record in shown:
        if (panels := _panels(record, places)) is not None:
            opened[id(row)] = (record, panels)
    if id(reference) not in opened:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    available = set(opened[id(reference)][1]["case"].tolist())
    found = []
    for title, case in _choose(section, board, opened[id(reference)][0], available):
        stem = folder / title.split()[0].lower()
        columns = _shared(opened[id(reference)], case, stem)
        for row, _ in shown:
            if id(row) in opened and case["case"] in opened[id(row)][1]["case"]:
                columns.append(_own(section, board, row, opened[id(row)], case, stem))
        note = f"{reference.name}, seed {seed}: {_written(section, board, case['scores'])}"
        note = note.rstrip(": ")
        found.append(Strip(title, case["case"], note, columns))
    return found


def _reference(board: Board) -> Row | None:
    ranked = board.ranked
    return board.best_baseline or (ranked[0] if ranked else None)


def _of_seed(row: Row, seed: int) -> Record:
    """The row's job with this seed, else its first: inputs should be the same in a strip."""
    return next((r for r in row.done if r["job"]["seed"] == seed), row.done[0])


def _panels(record: Record, places: Mapping[str, Path]) -> dict[str, np.ndarray] | None:
    if not record.get("pictures"):
        return None
    path = beside(places[record["key"]], record["pictures"]["file"])
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            panels = {name: arrays[name] for name in arrays.files}
            count = len(panels["case"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        LOG.warning("The pictures %s are damaged (%s) and are not shown.", path, error)
        return None
    if count == len(record["cases"]):  # in this order, whatever a case is called here
        panels["case"] = np.array([case["case"] for case in record["cases"]])
    return panels


def _choose(
    section: Section, board: Board, record: Record, available: set[str]
) -> list[tuple[str, dict]]:
    """(title, case) of the best, median and worst case, each case once; where no metric tells
    single cases apart, of the first, the middle and the last."""
    metric = section.case_metric
    found = [c for c in record["cases"] if c["group"] == board.group and c["case"] in available]
    if metric is None:
        titles = ("First case", "Middle case", "Last case")
        found.sort(key=lambda case: case["case"])
    else:
        titles = ("Best case", "Median case", "Worst case")
        found = [case for case in found if case["scores"].get(metric) is not None]
        sign = -1 if section.metrics[metric]["better"] == "higher" else 1
        found.sort(key=lambda case: (sign * case["scores"][metric], case["case"]))
    chosen: dict[int, str] = {}
    for title, place in zip(titles, (0, len(found) // 2, len(found) - 1), strict=True):
        if found:
            chosen.setdefault(place, title)
    return [(title, found[place]) for place, title in sorted(chosen.items())]


def _shared(opened: tuple[Record, dict], case: dict, stem: Path) -> list[list[Picture]]:
    """Columns of the panels that all methods share, as tall as a method's column."""
    record, arrays = opened
    panels = record["pictures"]["panels"]
    tall = max(1, sum(not panel["shared"] for panel in panels))
    pictures = []
    for panel in (panel for panel in panels if panel["shared"]):
        label = panel["name"].replace("_", " ").capitalize()
        file = stem.with_name(f"{stem.name}-{panel['name']}.webp")
        alt = f"{label}, case {case['case']}"
        pictures.append(_picture(arrays, panel, case, file, label, "", alt))
    return [pictures[start : start + tall] for start in range(0, len(pictures), tall)]


def _own(
    section: Section, board: Board, row: Row, opened: tuple[Record, dict], case: dict, stem: Path
) -> list[Picture]:
    """One method's column: its output with the score, then its error."""
    record, arrays = opened
    scores = next(c["scores"] for c in record["cases"] if c["case"] == case["case"])
    score = _written(section, board, scores)
    column = []
    for panel in (panel for panel in record["pictures"]["panels"] if not panel["shared"]):
        words = panel["name"].replace("_", " ")
        # The place keeps two methods with similar names apart.
        place = f"{next(k for k, other in enumerate(board.ranked, 1) if other is row):02d}"
        file = stem.with_name(f"{stem.name}-{place}-{slug(row.method)}-{panel['name']}.webp")
        label, detail = (row.name, score) if not column else ("", words.capitalize())
        alt = f"{words.capitalize()} of {row.name}, case {case['case']}, {score}".rstrip(", ")
        column.append(_picture(arrays, panel, case, file, label, detail, alt))
    return column


def _written(section: Section, board: Board, scores: Mapping[str, float | None]) -> str:
    """`PSNR 36.41 dB`, with the digits of the leaderboard; nothing where cases have no score."""
    metric = section.case_metric
    if metric is None:
        return ""
    spec, value = section.metrics[metric], scores.get(metric)
    digits = decimals(row.estimates[metric] for row in board.ranked)
    name = metric_name(metric, spec)
    return f"{name} {number(value, digits)} {spec['unit'] if value is not None else ''}".strip()


def _picture(
    arrays: dict, panel: dict, case: dict, file: Path, label: str, detail: str, alt: str
) -> Picture:
    index = arrays["case"].tolist().index(case["case"])
    image = render(arrays[panel["name"]][index], panel["kind"], panel.get("window"))
    image.save(file, lossless=True, quality=60, method=4)
    return Picture(file.name, alt, label, detail, *image.size)


def render(values: np.ndarray, kind: str, window: list[float] | None) -> Image.Image:
    """(H, W) values in a window as grey or in the signed map, or (H, W, 3) uint8 as it is.

    Undefined pixels (NaN) become mid-grey. Pictures smaller than 200 pixels are doubled, pixel by
    pixel, so that browsers do not blur them.
    """
    if kind == "rgb":
        image = Image.fromarray(np.asarray(values, np.uint8))
    else:
        low, high = window
        scaled = (np.asarray(values, np.float32) - low) / max(high - low, 1e-12)
        scaled = np.nan_to_num(scaled, nan=0.5).clip(0, 1)
        if kind == "grey":
            image = Image.fromarray(np.round(scaled * 255).astype(np.uint8))
        else:
            image = Image.fromarray(colormaps[SIGNED_MAP](scaled, bytes=True)[..., :3])
    if max(image.size) < SMALL:
        image = image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST)
    return image


def colour_bar(kind: str, file: Path) -> None:
    """A horizontal bar from the low to the high end of a window."""
    ramp = np.linspace(0, 1, 256)[None].repeat(12, axis=0)
    render(ramp, kind, [0, 1]).save(file, lossless=True)
