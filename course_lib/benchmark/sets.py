"""Intervals of scores that only a set of cases has: an area under a curve, a calibration error.

A record's scores hold each case's share of such a score; shares may lie outside its range, and so
does the mean of shares drawn with replacement. Here subjects are drawn, and the score of the set
of their cases is counted anew in each draw, from what the record keeps of every case (`evidence`:
`answer`, how strongly each class was answered, and `label`, the true one; or `targets`, how many of
each class there are).
No draw leaves the score's range.

A question names the way to count in `Metric.of_set`: one of `WAYS`, with its number of bins where
it has bins (`ece 10`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.benchmark.statistics import Interval, limited

DRAWS = 1999
_CELLS = 4_000_000  # numbers held at once while resampling


@dataclass(frozen=True)
class Run:
    """The test cases of one training: each one's subject, and how the set is scored.

    Arguments:
        subjects: (N,) number of the subject of each case.
        value: (draws, N) how often each case was drawn → (draws,) the score, NaN where the draw
            has none (cases of one class only).
    """

    subjects: NDArray
    value: Callable[[NDArray], NDArray]


def run(
    metric: str, spec: Mapping[str, Any], cases: Sequence[Mapping[str, Any]], place: Mapping
) -> Run | None:
    """The cases of a record as a set, or None where it does not hold what the way needs.

    Arguments:
        metric: the score's name in the cases.
        spec: what is said of it, with `of_set` and `unit`.
        cases: of a record, of one test group.
        place: subject → its number.
    """
    way, *bins = spec["of_set"].split()
    needed = ("targets",) if way in ("found", "found_in_classes") else ("answer", "label")
    scored = [c for c in cases if c["scores"].get(metric) is not None]
    if way not in WAYS or not scored:
        return None
    if not all(name in (c.get("evidence") or {}) for name in needed for c in scored):
        return None
    held = {name: np.array([c["evidence"][name] for c in scored], float) for name in needed}
    shares = np.array([c["scores"][metric] for c in scored], float)
    scale = 0.01 if spec["unit"] == "%" else 1.0
    count = partial(WAYS[way], held, scale * shares, **({"bins": int(bins[0])} if bins else {}))
    subjects = np.array([place[c["subject"]] for c in scored])
    return Run(subjects, lambda weights: count(weights) / scale)


def interval(runs: Sequence[Run], subjects: int, seed: int = 0) -> Interval:
    """The mean over trainings of the set's score, and its interval over subjects and trainings."""
    return _interval([runs], [1.0], subjects, seed)


def difference_interval(
    runs: Sequence[Run], others: Sequence[Run], subjects: int, seed: int = 0
) -> Interval:
    """The difference of two methods' scores; both see the same drawn subjects."""
    return _interval([runs, others], [1.0, -1.0], subjects, seed)


def _interval(
    methods: list[Sequence[Run]], signs: list[float], subjects: int, seed: int
) -> Interval:
    met = [np.isin(np.arange(subjects), np.concatenate([r.subjects for r in m])) for m in methods]
    shared = np.flatnonzero(np.all(met, axis=0))
    once = np.zeros((1, subjects))
    once[0, shared] = 1
    mean = sum(s * np.nanmean(_values(m, once)) for s, m in zip(signs, methods, strict=True))
    if len(shared) == 0 or np.isnan(mean):
        return Interval(None, None, None)
    rng = np.random.default_rng(seed)
    cases = max(len(r.subjects) for m in methods for r in m)
    drawn = []
    for start in range(0, DRAWS, step := max(1, _CELLS // cases)):
        count = min(step, DRAWS - start)
        weights = np.zeros((count, subjects))
        even = np.full(len(shared), 1 / len(shared))
        weights[:, shared] = rng.multinomial(len(shared), even, size=count)
        drawn.append(
            sum(s * _mean(_values(m, weights), rng) for s, m in zip(signs, methods, strict=True))
        )
    return limited(float(mean), np.concatenate(drawn), len(shared))


def _values(runs: Sequence[Run], weights: NDArray) -> NDArray:
    """Each training's score in each draw, (draws, trainings)."""
    return np.stack([r.value(weights[:, r.subjects]) for r in runs], axis=1)


def _mean(values: NDArray, rng: np.random.Generator) -> NDArray:
    """The mean over trainings drawn with replacement, (draws,)."""
    draws, seeds = values.shape
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    present = ~np.isnan(values)
    with np.errstate(invalid="ignore"):  # a draw without any score is 0/0: NaN, left out later
        return (np.where(present, values, 0) * weights).sum(1) / (weights * present).sum(1)


def auc(held: dict[str, NDArray], shares: NDArray, weights: NDArray) -> NDArray:
    """As `metrics.classification.auc_per_case` sums up: one against the rest, each class weighing
    as many cases as were drawn of it."""
    label = held["label"]
    total, areas = np.zeros(len(weights)), np.zeros(len(weights))
    for c in np.unique(label).astype(int):
        one = weights * (label == c)
        inside = one.sum(1)
        area = _area(held["answer"][:, c], one, weights - one)
        with np.errstate(invalid="ignore"):
            areas = areas + np.where(np.isnan(area), 0, inside * area)
        total = total + np.where(np.isnan(area), 0, inside)
    with np.errstate(invalid="ignore"):
        return areas / total


def _area(scores: NDArray, inside: NDArray, outside: NDArray) -> NDArray:
    """How often a case drawn inside scores higher than one drawn outside, ties counting half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    ours, theirs = (np.add.reduceat(w[:, order], starts, axis=1) for w in (inside, outside))
    below = theirs.cumsum(1) - theirs / 2
    with np.errstate(invalid="ignore"):
        return (ours * below).sum(1) / (ours.sum(1) * theirs.sum(1))


def balanced_accuracy(held: dict[str, NDArray], shares: NDArray, weights: NDArray) -> NDArray:
    """The mean recall of the classes that were drawn."""
    hit = held["answer"].argmax(1) == held["label"]
    own = held["label"] == np.unique(held["label"])[:, None]
    with np.errstate(invalid="ignore"):
        return np.nanmean((weights * hit) @ own.T / (weights @ own.T), axis=1)


def ece(held: dict[str, NDArray], shares: NDArray, weights: NDArray, bins: int = 15) -> NDArray:
    """The gap between certainty and share of hits, over the bins of certainty."""
    certain = held["answer"].max(1)
    gap = certain - (held["answer"].argmax(1) == held["label"])
    index = np.clip(np.ceil(certain * bins).astype(int), 1, bins) - 1
    of_bin = np.eye(bins)[index] * gap[:, None]
    return np.abs(weights @ of_bin).sum(1) / weights.sum(1)


def found(held: dict[str, NDArray], shares: NDArray, weights: NDArray) -> NDArray:
    """The share of the drawn targets that were found, at the thresholds of the whole set."""
    targets = held["targets"].reshape(len(shares), -1).sum(1, keepdims=True)
    return _of_perfect(targets, shares, weights)


def found_in_classes(held: dict[str, NDArray], shares: NDArray, weights: NDArray) -> NDArray:
    """The same, every class weighing as much as another."""
    return _of_perfect(held["targets"].reshape(len(shares), -1), shares, weights)


def _of_perfect(targets: NDArray, shares: NDArray, weights: NDArray) -> NDArray:
    """The drawn shares against those that an answer without a fault would have."""
    per_class = targets.sum(0)
    perfect = (targets[:, per_class > 0] / per_class[per_class > 0]).mean(1) * len(shares)
    with np.errstate(invalid="ignore"):
        return weights @ shares / (weights @ perfect)


WAYS: dict[str, Callable[..., NDArray]] = {
    "auc": auc,
    "balanced_accuracy": balanced_accuracy,
    "ece": ece,
    "found": found,
    "found_in_classes": found_in_classes,
}
