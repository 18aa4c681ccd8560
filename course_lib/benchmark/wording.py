"""How the report writes numbers, names and findings."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from course_lib.benchmark.boards import Board, Row, Section
from course_lib.benchmark.statistics import EXACT_SUBJECTS, Interval, coverage

ACRONYMS = {"ct", "mr", "pet"}
SHORT_WORDS = {"dice", "mass"}  # all other names of up to four letters are acronyms
UNIT_WORDS = {"percent": "%", "degrees": "°"}
FEW_SUBJECTS = 6  # below, no two-sided sign-flip test can reach p = 0.05
MINUS, RANGE = "−", " to "


def task_name(task: str) -> str:
    """`reconstruction_ct` → `Reconstruction CT`."""
    words = [w.upper() if w in ACRONYMS else w for w in task.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def metric_name(metric: str, spec: Mapping[str, str]) -> str:
    """The metric's `name`, else one made from its key without the unit at its end: `rmse_soft` →
    `RMSE soft`, `tre_mm` → `TRE`."""
    if spec.get("name"):
        return spec["name"]
    first, *rest = metric.split("_")
    if rest and UNIT_WORDS.get(rest[-1], rest[-1]) == spec.get("unit"):
        rest.pop()
    short = len(first) <= 4 and first not in SHORT_WORDS
    first = first.upper() if short else first.capitalize()
    return " ".join([first, *rest])


def with_unit(name: str, unit: str) -> str:
    """`PSNR`, `dB` → `PSNR (dB)`."""
    return f"{name} ({unit})" if unit else name


def decimals(estimates: Iterable[Interval]) -> int:
    """Digits after the point so that a typical interval shows two digits of its width; four
    significant digits where no interval exists."""
    estimates = [e for e in estimates if e.mean is not None and math.isfinite(e.mean)]
    widths = sorted(e.high - e.low for e in estimates if e.low is not None and e.high > e.low)
    if widths:
        return min(5, max(0, 1 - math.floor(math.log10(widths[len(widths) // 2]))))
    largest = max((abs(e.mean) for e in estimates), default=0.0)
    return min(5, max(0, 3 - math.floor(math.log10(largest)))) if largest else 1


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A fixed number of decimals with a true minus; an en dash where there is no value; ∞ where a
    perfect case makes a mean endless."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return (MINUS if value < 0 else "+" if sign else "") + "∞"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", MINUS)


def plain(value: float) -> str:
    """A number without needless decimals and with a true minus: `−1000`, `0.5`."""
    return f"{value:g}".replace("-", MINUS)


def limits(estimate: Interval, digits: int, sign: bool = False) -> str:
    """`34.1 to 36.8`, or `no interval`."""
    if estimate.low is None:
        return "no interval"
    return number(estimate.low, digits, sign) + RANGE + number(estimate.high, digits, sign)


def short(value: float | None) -> str:
    """Three significant digits for times and memory."""
    if value is None:
        return "–"
    if value and abs(value) < 0.001:
        return "<0.001"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}" if value else "0"


def count(value: float | None) -> str:
    """`1846273` → `1.85 M`."""
    if value is None:
        return "–"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.0f}"


def p_value(p: float | None) -> str:
    """Three significant digits, or a bound below 0.001."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3g}"


def plural(amount: int, noun: str) -> str:
    """`1 subject`, `4 subjects`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def listed(names: Iterable[str]) -> str:
    """`A, B and C`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def perfect(row: Row, metric: str, digits: int) -> str:
    """What stands behind an endless mean: `3 cases perfect, the others 34.1`."""
    count, others = row.perfect[metric], row.others[metric]
    if not count:
        return ""
    if others is None:
        return "every case perfect"
    return f"{plural(count, 'case')} perfect, the others {number(others, digits)}"


def findings(section: Section, board: Board) -> list[str]:
    """What a reader may conclude from a board, and what not, as sentences."""
    if not board.ranked:
        return ["No method has a score here."]
    if section.smoke:
        return [
            f"{smoke(section)} No method is compared with another. The profile class trains for "
            "about a minute a method."
        ]
    spec = section.metrics[section.headline]
    metric = metric_name(section.headline, spec)
    digits = decimals(row.estimates[section.headline] for row in board.ranked)

    def value(row: Row) -> str:
        estimate = row.estimates[section.headline]
        inside = [limits(estimate, digits)] if estimate.low is not None else []
        inside += [text] if (text := perfect(row, section.headline, digits)) else []
        inside += ["one seed"] if row.single else []
        said = f" ({'; '.join(inside)})" if inside else ""
        return f"{number(estimate.mean, digits)} {spec['unit']}".strip() + said

    first, best = board.first or board.ranked[0], board.best_baseline
    sentences = [f"{first.name} ranks first with {metric} {value(first)}."]
    if best is None:
        sentences.append("No baseline was run here, so nothing is compared with one.")
    elif first is best:
        sentences[0] = f"The baseline {best.name} ranks first with {metric} {value(best)}."
    else:
        sentences.append(f"The best baseline is {best.name} with {value(best)}.")
    sentences += _beaten(board, spec["unit"]) if best else []
    return sentences


def _beaten(board: Board, unit: str) -> list[str]:
    """Which methods beat the best baseline by the one rule for verdicts, and which do not."""
    rows = [row for row in board.ranked if not row.baseline]
    judged = [row for row in rows if row.verdict]
    if not rows:
        return []
    name = board.best_baseline.name
    if not judged:
        return [f"Without a test, no method can be said to beat {name}."]

    digits = decimals(row.difference for row in judged)

    def shown(row: Row) -> str:
        text = f"{row.name} ({number(row.difference.mean, digits, True)} {unit}".strip()
        text += f", {limits(row.difference, digits, True)}"
        return text + (", one seed)" if row.single else ")")

    sentences = []
    for verdict, text in (
        ("better", "Better than {}, by the corrected paired test and the interval: {}."),
        ("open", "Neither better nor worse than {} as far as these subjects can tell: {}."),
        ("worse", "Worse than {}, by the corrected paired test and the interval: {}."),
    ):
        chosen = [shown(row) for row in judged if row.verdict == verdict]
        if chosen:
            sentences.append(text.format(name, listed(chosen)))
    return sentences


def smoke(section: Section) -> str:
    """What a run of the profile smoke is worth."""
    steps = max((record["steps"] for record in section.done), default=0)
    trained = f"at most {plural(steps, 'training step')}" if steps else "no training"
    return f"Smoke run: {trained} on a few cases. These numbers mean nothing."


def smoke_of(sections: Sequence[Section]) -> str:
    """The same of several sections."""
    return smoke(max(sections, key=lambda s: max((r["steps"] for r in s.done), default=0)))


def remarks(section: Section) -> list[str]:
    """What weakens all numbers of a section: its data, its code, records that do not agree."""
    sentences = list(section.disagreements)
    if section.newer:
        sentences.append(
            f"These are results on other bytes of {section.dataset} (sha256 {section.version[:12]}…"
            ") than the newest ones. They are not compared with those."
        )
    if section.differing_code:
        sentences.append(
            f"The code was not the same in all jobs: {listed(section.differing_code)} differed."
        )
    return sentences


def cautions(section: Section, board: Board) -> list[str]:
    """What weakens the numbers of a board: few subjects, one seed, gaps, failures."""
    sentences = []
    for row in board.ranked:
        if row.privileged:
            sentences.append(
                f"{row.name} was told of each test case what only a reader or a simulator knows, "
                "so it has no rank and no verdict. Its score shows what that knowledge is worth."
            )
    subjects = len(board.subjects)
    if subjects == 1:
        sentences.append(
            "One test subject: no interval and no test is possible. The numbers describe this "
            "subject and say nothing about others."
        )
    elif subjects < FEW_SUBJECTS:
        sentences.append(
            f"Only {subjects} test subjects. A nominal 95% bootstrap interval of so few covers the "
            f"true mean in about {coverage(subjects):.0%} of such experiments, and the paired test "
            f"cannot give a p below {2 / 2**subjects:.3g}, whatever the methods do. A large p is "
            "not evidence that two methods are equal."
        )
    learning = [row for row in board.ranked if row.learns]
    single = [row.name for row in learning if len(row.seeds) == 1]
    if single:
        whose = "One seed" if len(single) == len(learning) else f"One seed for {listed(single)}"
        sentences.append(
            f"{whose}: the intervals leave out how much results vary from one training to the next."
        )
    for row in board.ranked:
        scored = row.scored(section.headline)
        if scored < subjects:
            sentences.append(
                f"{row.name} has a score on {scored} of {subjects} subjects: its mean is not over "
                "the same subjects as the others'."
            )
    for metric, spec in section.metrics.items():
        gaps = [f"{row.name} {row.missing[metric]}" for row in board.ranked if row.missing[metric]]
        if gaps:
            name = metric_name(metric, spec)
            sentences.append(f"{name}: undefined scores of some cases left out: {listed(gaps)}.")
    return sentences


def p_note(board: Board) -> str:
    """What the p column is, and the smallest p it can show."""
    if not board.tested:
        return ""
    subjects = board.tested[0].test.subjects
    smallest = board.tested[0].test.smallest_p
    kind = "exact" if subjects <= EXACT_SUBJECTS else "drawn (9,999 patterns)"
    return (
        f"p: {kind} two-sided sign-flip test of the differences of {plural(subjects, 'subject')}; "
        f"the smallest p so many subjects allow is {smallest:.3g}. "
        f"In brackets: after Holm's correction over {plural(len(board.tested), 'method')}."
    )


def machine(record: Mapping) -> str:
    """`AMD EPYC, 2 threads, cpu, float32`."""
    device = record["device"]
    return (
        f"{device['name']}, {device['kind']}, {plural(device['threads'], 'thread')}, "
        f"{device['precision']}"
    )


def non_commercial(licence: str | None) -> bool:
    """Whether a licence forbids commercial use."""
    return bool(re.search(r"\bNC\b|non-?commercial", licence or "", re.IGNORECASE))


def profile(name: str) -> str:
    """A profile for people.

    >>> profile("class@1400"), profile("smoke")
    ('class, 1400 steps', 'smoke')
    """
    base, mark, steps = name.partition("@")
    return f"{base}, {steps} steps" if mark else base
