"""The report's plots: quality against time, single subjects, learning curves; SVG for both themes.

Matplotlib draws with the light palette; afterwards each colour becomes a CSS variable, so that one
file follows the reader's light or dark theme. Text stays text. Every figure is about 28 rem wide:
two stand side by side on a desk and one fills a phone. Colour never carries meaning alone: markers
and line styles repeat it, and lines and points are labelled where they are.
"""

import io
import math
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from course_lib.benchmark.boards import Board, Section
from course_lib.benchmark.wording import metric_name, with_unit

# name: (light, dark). Each reaches 4.5:1 against its paper, but for the grid.
PALETTE = {
    "ink": ("#1d2530", "#e8ecf1"),
    "muted": ("#5b6675", "#a6b0bd"),
    "grid": ("#e2e5e9", "#303945"),
    "paper": ("#fffffe", "#171c23"),
    "blue": ("#0b62a8", "#74b8ee"),
    "orange": ("#b8440b", "#f19a69"),
    "green": ("#0a7355", "#56c9a5"),
    "purple": ("#85449a", "#d2a2e2"),
    "gold": ("#806000", "#dfbb52"),
    "rose": ("#ad2c5c", "#f293b6"),
    "teal": ("#006d79", "#62c7d3"),
}
INK, MUTED, GRID, PAPER = (PALETTE[name][0] for name in ("ink", "muted", "grid", "paper"))
SERIES = [PALETTE[n][0] for n in ("orange", "blue", "green", "purple", "gold", "rose", "teal")]
KINDS = {
    "baseline": (MUTED, "o"),
    "classical": (PALETTE["blue"][0], "s"),
    "supervised": (PALETTE["orange"][0], "D"),
    "adversarial": (PALETTE["purple"][0], "^"),
    "self-supervised": (PALETTE["green"][0], "v"),
}
OTHER_KIND = (PALETTE["teal"][0], "P")
SHORTEST_S = 0.01  # times below are drawn here
_STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "svg.fonttype": "none",
    "svg.hashsalt": "course",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


def _theme() -> str:
    light, dark = (
        ";".join(f"--{name}:{pair[i]}" for name, pair in PALETTE.items()) for i in (0, 1)
    )
    return f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"


def _save(figure: Figure, path: Path, title: str) -> Path:
    """Writes the SVG with a title for screen readers and colours that follow the theme."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    text = buffer.getvalue()
    for name, (light, _) in PALETTE.items():
        text = text.replace(light, f"var(--{name})")
    text = text.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    text = re.sub(r"(<svg [^>]*>)", lambda found: found[1] + _theme(), text, count=1)
    path.write_text(text, encoding="utf-8")
    return path


def size(path: Path) -> tuple[int, int]:
    """Width and height of an SVG in CSS pixels, so that the page keeps its place free."""
    width, height = re.search(
        r'width="([\d.]+)pt" height="([\d.]+)pt"', path.read_text("utf-8")
    ).groups()
    return round(float(width) * 4 / 3), round(float(height) * 4 / 3)


def _axes(height: float = 3.4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.7, height), layout="constrained")
    FigureCanvasAgg(figure)  # measures text, so that labels can be kept apart
    return figure, figure.subplots()


def _log_seconds(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _metric_label(section: Section, metric: str = "") -> str:
    name = metric or section.headline
    spec = section.metrics[name]
    return f"{with_unit(metric_name(name, spec), spec['unit'])}, {spec['better']} is better"


def quality_against_time(section: Section, board: Board, path: Path) -> Path | None:
    """Headline metric with its interval against seconds of training and prediction of one job."""
    rows = [row for row in board.ranked if row.cost("fit") is not None]
    means = {id(row): row.estimates[section.headline].mean for row in rows}
    rows = [row for row in rows if (mean := means[id(row)]) is not None and math.isfinite(mean)]
    if not rows:
        return None
    with mpl.rc_context(_STYLE):
        figure, axes = _axes()
        _log_seconds(axes)
        points = []
        for row in rows:
            seconds = max(row.cost("fit") + row.cost("predict"), SHORTEST_S)
            estimate = row.estimates[section.headline]
            colour, marker = KINDS.get(row.kind, OTHER_KIND)
            if estimate.low is not None:
                axes.vlines(seconds, estimate.low, estimate.high, color=colour, lw=1.4, alpha=0.55)
            axes.plot(seconds, estimate.mean, marker, color=colour, ms=7, mec=PAPER, mew=0.8)
            points.append((seconds, estimate, row.name, colour))
        axes.margins(x=0.16, y=0.1)
        axes.set_xlabel("seconds of training and prediction (log)")
        axes.set_ylabel(_metric_label(section))
        _label_points(figure, axes, points)
        return _save(figure, path, "Quality against time")


def _label_points(figure: Figure, axes: Axes, points: list[tuple]) -> None:
    """Writes each name beside its point, at the first place that overlaps nothing."""
    figure.draw_without_rendering()
    frame = axes.get_window_extent()
    taken = []
    for x, estimate, *_ in points:
        ends = [(x, y) for y in estimate if y is not None]
        box = Bbox.null()
        box.update_from_data_xy(axes.transData.transform(ends))
        taken.append(box.padded(5))
    renderer = figure.canvas.get_renderer()
    leader = {"arrowstyle": "-", "color": MUTED, "lw": 0.5, "shrinkB": 4}
    steps = sorted(range(-11, 12), key=abs)
    tries = [(8 * side, 13 * step) for step in steps for side in (1, -1)]
    for x, estimate, name, colour in points:
        for right, up in tries:
            text = axes.annotate(
                name,
                (x, estimate.mean),
                (right, up),
                textcoords="offset points",
                ha="left" if right > 0 else "right",
                va="center",
                color=colour,
                fontsize=9,
                arrowprops=leader if up else None,
            )
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if inside and not any(map(box.overlaps, taken)):
                break
            if (right, up) != tries[-1]:
                text.remove()
        taken.append(box)


def subjects(section: Section, board: Board, path: Path) -> Path | None:
    """Each test subject's score per method, the mean as a bar: what an interval hides. Of scores
    that only a whole set has, a subject has none: the first other metric is drawn."""
    rows, metric = board.ranked, section.case_metric
    if not rows or metric is None:
        return None
    few = len(board.subjects) <= 8
    markers = "osD^vP*X" if few else "o" * len(board.subjects)
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(max(2.4, 1.2 + 0.28 * len(rows)) + (0.3 if few else 0))
        for index, name in enumerate(board.subjects):
            scores = [_mean(row.tables[metric][index]) for row in rows]
            axes.plot(
                scores,
                range(len(rows)),
                markers[index],
                color=SERIES[index % len(SERIES)] if few else MUTED,
                ms=6,
                alpha=0.85 if few else 0.4,
                mec=PAPER,
                mew=0.6,
                label=name,
            )
        for place, row in enumerate(rows):
            mean = _mean(row.tables[metric].ravel())
            axes.plot([mean, mean], [place - 0.34, place + 0.34], color=INK, lw=2)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel(_metric_label(section, metric))
        if few:
            figure.legend(
                loc="outside lower center",
                ncols=min(2, len(board.subjects)),
                frameon=False,
                fontsize=9,
                handletextpad=0.2,
                columnspacing=1.2,
            )
        return _save(figure, path, "Scores of single subjects")


def learning_curves(section: Section, board: Board, path: Path, against: str) -> Path | None:
    """Validation headline against `step` or `seconds`: thin lines are seeds, thick their mean."""
    rows = [row for row in board.rows if any(_curve(r, section, against) for r in row.done)]
    if not rows:
        return None
    with mpl.rc_context(_STYLE):
        figure, axes = _axes()
        ends = []
        for place, row in enumerate(rows):
            colour = SERIES[place % len(SERIES)]
            style = ("-", "--", ":", "-.")[place // len(SERIES) % 4]
            curves = [np.array(c) for r in row.done if (c := _curve(r, section, against))]
            for curve in curves:
                axes.plot(*curve.T, style, color=colour, lw=0.8, alpha=0.45)
            shortest = min(len(curve) for curve in curves)
            mean = np.mean([curve[:shortest] for curve in curves], axis=0)
            axes.plot(*mean.T, style, color=colour, lw=2.2)
            ends.append((*mean[-1], row.name, colour))
        axes.set_xlabel({"step": "training step", "seconds": "seconds of training"}[against])
        axes.set_ylabel(_metric_label(section).replace(",", " on validation,", 1))
        axes.set_xlim(left=0)
        _label_ends(figure, axes, ends)
        return _save(figure, path, f"Learning curves against {against}")


def _curve(record: dict, section: Section, against: str) -> list[tuple[float, float]]:
    points = ((p[against], p["validation"].get(section.headline)) for p in record["curve"])
    return [(x, y) for x, y in points if y is not None and math.isfinite(y)]


def _label_ends(figure: Figure, axes: Axes, ends: list[tuple]) -> None:
    """Names in the right margin, moved apart, each tied to the end of its line."""
    figure.draw_without_rendering()
    gap = 14 * figure.dpi / 72
    order = sorted(range(len(ends)), key=lambda i: ends[i][1])
    heights = [axes.transData.transform(ends[i][:2])[1] for i in order]
    bottom = axes.get_window_extent().y0
    placed = spread(heights, gap, bottom)
    right = axes.get_xlim()[1]
    for index, height in zip(order, placed, strict=True):
        x, y, name, colour = ends[index]
        level = axes.transData.inverted().transform((0, height))[1]
        axes.plot([x, right * 1.02], [y, level], color=GRID, lw=0.8, clip_on=False, zorder=0)
        axes.text(right * 1.03, level, name, color=colour, va="center", fontsize=9)
    axes.set_xlim(0, right)


def spread(heights: list[float], gap: float, bottom: float) -> list[float]:
    """Ascending heights moved so that neighbours are at least `gap` apart, as little as it takes.

    >>> spread([0.0, 1.0, 10.0], 4.0, -100.0)
    [-1.5, 2.5, 10.0]
    """
    clusters: list[list[float]] = []  # [mean of wanted first height, members]
    for place, height in enumerate(heights):
        clusters.append([height - gap * place, 1])
        while len(clusters) > 1 and clusters[-1][0] < clusters[-2][0]:
            mean, count = clusters.pop()
            clusters[-1][0] = (clusters[-1][0] * clusters[-1][1] + mean * count) / (
                clusters[-1][1] + count
            )
            clusters[-1][1] += count
    starts = [mean for mean, count in clusters for _ in range(int(count))]
    return [max(start, bottom) + gap * place for place, start in enumerate(starts)]


def _mean(scores: np.ndarray) -> float:
    scores = scores[np.isfinite(scores)]
    return float(scores.mean()) if scores.size else math.nan
