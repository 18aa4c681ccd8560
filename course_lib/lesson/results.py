"""What runs have left, as a lesson shows it: curves, strips, trade-offs, the leaderboard."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.lesson.picture import BLUE, COLOURS, MARKERS, Picture, Table, canvas, images

Record = Mapping[str, Any]


def _label(metric: str, metrics: Mapping[str, Mapping[str, str]]) -> str:
    """`psnr` → `PSNR (dB)`, as the report writes it."""
    from course_lib.benchmark.wording import metric_name, with_unit

    return with_unit(metric_name(metric, metrics[metric]), metrics[metric]["unit"])


def _brief(value: float | None) -> str:
    """A score in words: one decimal, or three digits where it lies between −1 and 1."""
    if value is None or math.isnan(value):
        return "undefined"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"


def curve(record: Record) -> Picture:
    """The learning curve of a job: losses, their terms before weighting, and the headline score."""
    name, label = record["headline"], _label(record["headline"], record["metrics"])
    rows, method = record["curve"], record["job"]["method"]
    if not rows:
        figure, (axis,) = canvas(width=6.0, height=1.2)
        axis.axis("off")
        chosen = record["settings"]["chosen"] or "none"
        text = f"{method} does not learn. Settings chosen on validation: {chosen}"
        axis.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
        return Picture(figure, text)
    figure, (left, right) = canvas(2)
    steps = [row["step"] for row in rows]
    losses, terms = (_over_steps(rows, kind) for kind in ("losses", "terms"))
    for (player, values), colour, marker in zip(
        losses.items(), cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        left.plot(steps, values, marker + "-", color=colour, label=player)
    for (term, values), colour in zip(terms.items(), cycle(reversed(COLOURS)), strict=False):
        left.plot(steps, values, ".--", color=colour, linewidth=1, label=f"term {term}")
    if not any(value <= 0 for values in (*losses.values(), *terms.values()) for value in values):
        left.set_yscale("log")
    left.set(title=f"{method}: training loss", xlabel="step", ylabel="loss (no unit)")
    left.legend(frameon=False)
    score = [row["validation"][name] for row in rows]
    right.plot(steps, [math.nan if s is None else s for s in score], "o-", color=BLUE)
    right.set(title=f"{method}: on validation cases", xlabel="step", ylabel=label)
    text = (
        f"Learning curve of {method}: in {steps[-1]} steps ({rows[-1]['seconds']:.0f} s) {label} "
        f"on validation went from {_brief(score[0])} to {_brief(score[-1])}."
    )
    return Picture(figure, text + _terms_in_words(terms))


def _over_steps(rows: Sequence[Record], kind: str) -> dict[str, list[float]]:
    """Name → its value in each row, nan in the stages where it does not occur."""
    names = dict.fromkeys(name for row in rows for name in row.get(kind, ()))
    return {name: [row.get(kind, {}).get(name, math.nan) for row in rows] for name in names}


def _terms_in_words(terms: Mapping[str, Sequence[float]]) -> str:
    """One sentence on the terms of a loss, if there are any."""
    known = {name: [v for v in values if not math.isnan(v)] for name, values in terms.items()}
    said = (f"{name} from {_brief(v[0])} to {_brief(v[-1])}" for name, v in known.items() if v)
    return f" Terms of the loss, dashed: {', '.join(said)}." if terms else ""


def strip(record: Record, where: str | Path) -> Picture:
    """Input, output, truth and error of the median test case, chosen by rule, not by eye.

    Arguments:
        where: the store, or the folder of this one job.
    """
    case, score = _median_case(record)
    panels, pictures = record["pictures"]["panels"], _pictures(record, where, case)
    figure, axes = canvas(len(panels), width=11.0, height=3.2)
    for axis, panel in zip(axes, panels, strict=True):
        low, high = panel["window"]
        colours = "PuOr" if panel["kind"] == "signed" else "gray"
        shown = axis.imshow(pictures[panel["name"]], cmap=colours, vmin=low, vmax=high)
        axis.set(title=panel["name"], xticks=[], yticks=[])
        if panel["kind"] != "rgb":
            figure.colorbar(shown, ax=axis, label=panel["unit"], location="bottom", shrink=0.8)
    label = _label(record["headline"], record["metrics"])
    text = f"{record['job']['method']} on {case}, the median test case: {label} = {_brief(score)}"
    figure.suptitle(text)
    return Picture(figure, f"{text}. Panels: {', '.join(panel['name'] for panel in panels)}.")


def outputs(records: Mapping[str, Record], where: str | Path) -> Picture:
    """Several methods' outputs on one case between its input and its truth: the middle half of
    the picture, large enough to see the grain.

    Arguments:
        records: title → record; the first one's median test case is shown.
        where: the store.
    """
    first = next(iter(records.values()))
    case, _ = _median_case(first)
    shared = _pictures(first, where, case)
    panel = next(panel for panel in first["pictures"]["panels"] if panel["name"] == "output")
    own = {title: _pictures(record, where, case)["output"] for title, record in records.items()}
    panels = {"input": shared["input"], **own, "truth": shared["truth"]}
    return images(
        {title: _middle_half(picture) for title, picture in panels.items()},
        alt=f"Input, {', '.join(records)} and truth of {case}, side by side.",
        window=tuple(panel["window"]),
        unit=panel["unit"],
    )


def _middle_half(picture: np.ndarray) -> np.ndarray:
    rows, columns = picture.shape[:2]
    return picture[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]


def _pictures(record: Record, where: str | Path, case: str) -> dict[str, np.ndarray]:
    """Panel name → picture of one case."""
    from course_lib.benchmark.store import Store

    file = Path(where) / record["pictures"]["file"]
    if not file.is_file():
        file = Store(where).place(record["key"]) / record["pictures"]["file"]
    with np.load(file, allow_pickle=False) as arrays:
        row = arrays["case"].tolist().index(case)
        return {
            panel["name"]: arrays[panel["name"]][row].astype(
                "uint8" if panel["kind"] == "rgb" else "float32"
            )
            for panel in record["pictures"]["panels"]
        }


def _median_case(record: Record) -> tuple[str, float | None]:
    """The middle case by headline score, among subjects unseen in training if any of them has a
    score; where no case has one, the first by name."""
    name, cases = record["headline"], record["cases"]
    apart = [case for case in cases if not case["group"].startswith("same patient")]
    for some in (apart, cases):
        scored = sorted(
            (case["scores"][name], case["case"])
            for case in some
            if case["scores"][name] is not None
        )
        if scored:
            score, case = scored[(len(scored) - 1) // 2]
            return case, score
    return min(case["case"] for case in cases), None


def mean_scores(record: Record) -> dict[str, float]:
    """Each metric's mean over the test subjects unseen in training (each subject counts once);
    nan where no case has a defined score."""
    from course_lib.benchmark.leaderboard import sections

    board = sections([record])[0].boards[0]
    means = {name: value.mean for name, value in board.rows[0].estimates.items()}
    return {name: float("nan") if mean is None else mean for name, mean in means.items()}


def claim(text: str, higher: float, lower: float, unit: str) -> str:
    """One sentence: whether a claim that one number is the higher holds in this run."""
    if higher != higher or lower != lower:
        return f"{text}: not defined in this run, which is too small for it."
    held = "as claimed" if higher > lower else "NOT as claimed"
    return f"{text}: {_brief(higher)} against {_brief(lower)} {unit}, {held}."


def trade_off(
    points: Mapping[str, Mapping[str, float]], across: str, up: str, metrics: Mapping[str, Any]
) -> Picture:
    """Methods as points in the plane of two metrics.

    Arguments:
        points: method's name → its scores.
        across, up: the metrics on the two axes.
        metrics: metric → {'unit', 'better', …}, as in a record.
    """
    figure, (axis,) = canvas(width=6.5, height=4.2)
    for (name, scores), colour, marker in zip(
        points.items(), COLOURS * 2, MARKERS * 2, strict=False
    ):
        axis.plot(scores[across], scores[up], marker, color=colour, markersize=9, label=name)
    labels = [f"{_label(m, metrics)}, {metrics[m]['better']} is better" for m in (across, up)]
    axis.set(xlabel=labels[0], ylabel=labels[1], title="Two ways to be good")
    axis.margins(0.2)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    said = "; ".join(f"{n}: {_brief(s[across])} and {_brief(s[up])}" for n, s in points.items())
    return Picture(figure, f"Each method's {labels[0]}, and {labels[1]}. {said}.")


def lines(values: Mapping[str, Mapping[float, float]], across: str, up: str, title: str) -> Picture:
    """Methods as lines over a condition that changes.

    Arguments:
        values: method's name → condition → score; the first condition stands on the left.
        across, up, title: the words on the axes, with units, and above them.
    """
    figure, (axis,) = canvas(width=8.5, height=3.8)
    for (name, scores), colour, marker in zip(
        values.items(), COLOURS * 2, MARKERS * 2, strict=False
    ):
        places = [f"{condition:g}" for condition in scores]
        axis.plot(places, list(scores.values()), marker + "-", color=colour, label=name)
    axis.set(xlabel=across, ylabel=up, title=title)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    said = "; ".join(
        f"{name}: " + ", ".join(f"{_brief(score)} at {where:g}" for where, score in scores.items())
        for name, scores in values.items()
    )
    return Picture(figure, f"{title} {up} over {across}. {said}.")


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
    groups = dict.fromkeys(board["group"] for board in boards)
    rows = [
        (row["scores"][known.headline], row["name"], row["fit_s"], f"{who}, {part['profile']}")
        for who, found in (("benchmark", shipped), ("your runs", own))
        for part in found
        for row in (part["boards"][0]["rows"] if part["boards"] else [])
        if row["rank"] and known.headline in row["scores"]
    ]
    higher = known.metrics[known.headline].better == "higher"
    rows.sort(key=lambda row: row[0]["mean"], reverse=higher)
    label = _label(known.headline, {known.headline: vars(known.metrics[known.headline])})
    digits = 2 if known.metrics[known.headline].unit else 3
    cells = [
        [name, f"{e['mean']:.{digits}f}", _span(e, digits), f"{seconds:.0f}", who]
        for e, name, seconds, who in rows
    ]
    return Table(
        f"{known.title}, tested on {' and '.join(groups)}; best first"
        if rows
        else f"{known.title}: no run yet. `course bench` makes the ranking.",
        ["method", label, "95% interval", "training (s)", "from"],
        cells,
    )


def _place(section: Mapping[str, Any]) -> tuple[str, str]:
    """Numbers can be compared if these are the same."""
    return section["dataset"], section["profile"]


def _span(estimate: Mapping[str, Any], digits: int) -> str:
    low, high = estimate["low"], estimate["high"]
    return "—" if low is None else f"{low:.{digits}f} to {high:.{digits}f}"
