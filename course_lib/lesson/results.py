"""What runs have left, as a lesson shows it: curves, strips, outputs, trade-offs."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.lesson.claims import brief
from course_lib.lesson.picture import (
    BLUE,
    COLOURS,
    MARKERS,
    PIXELS,
    Picture,
    canvas,
    images,
    named,
)

Record = Mapping[str, Any]


def label_of(metric: str, metrics: Mapping[str, Mapping[str, str]]) -> str:
    """`psnr` → `PSNR (dB)`, as the report writes it."""
    from course_lib.benchmark.wording import metric_name, with_unit

    return with_unit(metric_name(metric, metrics[metric]), metrics[metric]["unit"])


def curve(record: Record) -> Picture:
    """The learning curve of a job: losses, their terms before weighting, and the headline score."""
    name, label = record["headline"], label_of(record["headline"], record["metrics"])
    rows, method = record["curve"], _name(record)
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
        f"on validation went from {brief(score[0])} to {brief(score[-1])}."
    )
    return Picture(figure, text + _terms_in_words(terms))


def _over_steps(rows: Sequence[Record], kind: str) -> dict[str, list[float]]:
    """Name → its value in each row, nan in the stages where it does not occur."""
    names = dict.fromkeys(name for row in rows for name in row.get(kind, ()))
    return {name: [row.get(kind, {}).get(name, math.nan) for row in rows] for name in names}


def _terms_in_words(terms: Mapping[str, Sequence[float]]) -> str:
    """One sentence on the terms of a loss, if there are any."""
    known = {name: [v for v in values if not math.isnan(v)] for name, values in terms.items()}
    said = (f"{name} from {brief(v[0])} to {brief(v[-1])}" for name, v in known.items() if v)
    return f" Terms of the loss, dashed: {', '.join(said)}." if terms else ""


def strip(record: Record, where: str | Path, legend: Mapping[str, str] | None = None) -> Picture:
    """Input, output, truth and error of the median test case, chosen by rule, not by eye.

    Arguments:
        where: the store, or the folder of this one job.
        legend: name → its colour, where panels are coloured by labels.
    """
    case, score = _median_case(record)
    panels, pictures = record["pictures"]["panels"], _pictures(record, where, case)
    figure, axes = canvas(len(panels), width=11.0, height=3.2)
    for axis, panel in zip(axes, panels, strict=True):
        low, high = panel["window"]
        colours = "PuOr" if panel["kind"] == "signed" else "gray"
        picture = pictures[panel["name"]]
        shown = axis.imshow(picture, **PIXELS, cmap=colours, vmin=low, vmax=high)
        axis.set(title=panel["name"], xticks=[], yticks=[])
        if panel["kind"] != "rgb":
            figure.colorbar(shown, ax=axis, label=panel["unit"], location="bottom", shrink=0.8)
    spec = record["metrics"][record["headline"]]
    label = label_of(record["headline"], record["metrics"])
    # A single case has no area under a curve, only a share in that of the set.
    said = "" if spec.get("of_set") else f": {label} = {brief(score)}"
    text = f"{_name(record)} on {case}, the median test case{said}"
    figure.suptitle(text)
    names = named(figure, legend)
    return Picture(
        figure, f"{text}. Panels: {', '.join(panel['name'] for panel in panels)}.{names}"
    )


def outputs(
    records: Mapping[str, Record], where: str | Path, legend: Mapping[str, str] | None = None
) -> Picture:
    """Several methods' outputs on one case between its input and its truth: the middle half of
    the picture, large enough to see the grain. Each in the window of its own values.

    Arguments:
        records: title → record; the first one's median test case is shown.
        where: the store.
        legend: name → its colour, where outputs are coloured by labels.
    """
    first = next(iter(records.values()))
    case, _ = _median_case(first)
    shared = _pictures(first, where, case)
    about = {panel["name"]: panel for panel in first["pictures"]["panels"]}
    own = {title: _pictures(record, where, case)["output"] for title, record in records.items()}
    panels = {"input": shared["input"], **own, "truth": shared["truth"]}
    return images(
        {title: _middle_half(picture) for title, picture in panels.items()},
        alt=f"Input, {', '.join(records)} and truth of {case}, side by side.",
        window=tuple(about["output"]["window"]),
        unit=about["output"]["unit"],
        own={
            name: (tuple(about[name]["window"]), about[name]["unit"]) for name in ("input", "truth")
        },
        legend=legend,
    )


def _name(record: Record) -> str:
    """The method's name for people, with its variant: `U-Net, without skips`."""
    from course_lib.benchmark.leaderboard import sections

    return sections([record])[0].boards[0].rows[0].name


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
    """The middle case by headline score, among those that the leaderboard scores: the first group
    of subjects unseen in training, if any of them has a score; where no case has one, the first by
    name."""
    name, cases = record["headline"], record["cases"]
    groups = dict.fromkeys(case["group"] for case in cases)
    apart = [group for group in groups if not group.startswith("same patient")]
    tried = [[case for case in cases if case["group"] == group] for group in apart[:1]]
    for some in (*tried, cases):
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
    labels = [f"{label_of(m, metrics)}, {metrics[m]['better']} is better" for m in (across, up)]
    axis.set(xlabel=labels[0], ylabel=labels[1], title="Two ways to be good")
    axis.margins(0.2)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    said = "; ".join(f"{n}: {brief(s[across])} and {brief(s[up])}" for n, s in points.items())
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
        f"{name}: " + ", ".join(f"{brief(score)} at {where:g}" for where, score in scores.items())
        for name, scores in values.items()
    )
    return Picture(figure, f"{title} {up} over {across}. {said}.")
