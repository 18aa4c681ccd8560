"""Intervals and tests for a benchmark table: few subjects, few seeds, many methods.

A method's scores form a table (subjects, seeds); each cell is the mean over that subject's cases,
because two slices of one patient are not two patients. Subjects and seeds are both samples, from
the patients one could meet and the trainings one could run, so both are resampled.

Missing values: NaN marks a cell without a defined score (a case with no object, a failed seed).
NaN is left out of every mean, never replaced; the report shows how many were left out. A perfect
score may be infinite (the PSNR of the truth itself): it counts as better than any number, and a
mean that holds one has no interval.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

DRAWS = 9999
EXACT_SUBJECTS = 14  # 2^14 sign patterns are enumerated; with more subjects they are drawn
FEWEST = 3  # subjects; two say nothing of how subjects differ
ALPHA = 0.05  # the chance of any false verdict on a board
_CELLS = 4_000_000  # numbers held at once while resampling


class Interval(NamedTuple):
    """A mean with its bootstrap interval; `low` and `high` are None where no interval exists."""

    mean: float | None
    low: float | None
    high: float | None


class Comparison(NamedTuple):
    """A two-sided paired test: its p, the smallest p that so many subjects allow, and how many."""

    p: float | None
    smallest_p: float
    subjects: int


def interval(table: ArrayLike, level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Mean score with a two-way bootstrap interval.

    With subjects s = 1…S and seeds k = 1…K, the estimate is mean_s mean_k x[s, k]. Each draw takes
    S subjects and K seeds with replacement, independently, and averages the table they span. The
    limits are quantiles of the draws, put further out for few subjects: see `tail`.

    Arguments:
        table: scores, shape (subjects, seeds), NaN where undefined.
        level: nominal coverage. What it is worth with few subjects: see `coverage`.
        draws: number of bootstrap draws.
        seed: of the resampling; the same seed gives the same interval.

    Returns the interval; without limits for fewer than three scored subjects or where a score is
    infinite. All None if every score is missing.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 13
    (doi:10.1201/9780429246593); both factors resampled: Owen 2007 (doi:10.1214/07-AOAS122), who
    shows that this is slightly conservative. A BCa interval knows one sample only, not subjects
    and seeds.

    >>> interval([[1.0], [2.0], [3.0]], seed=1)
    Interval(mean=2.0, low=1.0, high=3.0)
    """
    table = _scored(table)
    return _bootstrap([table], [1.0], level, draws, seed)


def difference_interval(
    table: ArrayLike, other: ArrayLike, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Mean paired difference `table` − `other` with its two-way bootstrap interval.

    Both tables see the same drawn subjects, so that hard and easy patients cancel; the seeds of
    each method are drawn on their own, because training runs of two methods are not pairs (where
    equal seeds also mean equal noise in the test cases, this is conservative).

    Arguments:
        table, other: scores, shapes (subjects, seeds) and (subjects, other seeds); row s is the
            same subject in both. Subjects that lack a score in either are left out.
        level, draws, seed: as in `interval`.

    Raises ValueError when the tables have different numbers of subjects.
    """
    table, other = _pair(table, other)
    return _bootstrap([table, other], [1.0, -1.0], level, draws, seed)


def tail(subjects: int, level: float = 0.95) -> float:
    """The share of draws beyond each limit, so that few subjects do not give too short an interval.

    The plain quantile (1 − level)/2 takes the spread of the draws for known and is too narrow by
    sqrt((n − 1)/n): of four subjects it holds the true mean in 81% of experiments instead of 95%.
    Φ(sqrt(n/(n − 1))·t_{n−1}) makes the interval as wide as Student's.

    Source: Hesterberg 2015, the expanded percentile interval (doi:10.1080/00031305.2015.1089789).
    """
    student = stats.t.ppf((1 - level) / 2, subjects - 1)
    return float(stats.norm.cdf(student * np.sqrt(subjects / (subjects - 1))))


def coverage(subjects: int, level: float = 0.95) -> float:
    """How often the interval of n subjects holds the true middle at best, whatever is drawn.

    No draw leaves the range of the scores, and that misses the middle of a symmetric distribution
    whenever all n lie on one side of it: 2/2ⁿ of the experiments. 75% for three, 88% for four.
    """
    return min(level, 1 - 2 / 2**subjects)


def paired_test(table: ArrayLike, other: ArrayLike, seed: int = 0) -> Comparison:
    """Sign-flip permutation test of the per-subject differences, two-sided.

    Under the null hypothesis each subject's difference d_s (means over seeds) is as likely to be
    −d_s, so all 2^n sign patterns of |mean(±d)| are equally likely; p is twice the smaller tail.
    Its smallest value is therefore 2/2^n: 0.125 with four subjects. With more than 14 subjects
    the patterns are drawn at random (9,999 of them) instead of enumerated.

    Arguments:
        table, other: as in `difference_interval`.
        seed: of the random patterns.

    Returns p (None without a subject scored in both), the smallest p attainable, subjects compared.

    Source: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses
    (doi:10.1007/b138696).

    >>> paired_test([[1.0], [2.0], [3.0], [4.0]], [[0.0], [1.0], [2.0], [3.5]])
    Comparison(p=0.125, smallest_p=0.125, subjects=4)
    """
    table, other = _pair(table, other)
    subjects = len(table)
    exact = subjects <= EXACT_SUBJECTS
    smallest = min(1.0, 2.0 / (2**subjects if exact else DRAWS + 1))
    if subjects == 0:
        return Comparison(None, 1.0, 0)
    first, second = np.nanmean(table, axis=1), np.nanmean(other, axis=1)
    difference = _finite_difference(first, second)
    if subjects == 1 or not difference.any():
        return Comparison(1.0, smallest, subjects)
    result = stats.permutation_test(
        (difference, np.zeros(subjects)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if exact else DRAWS,
        batch=4096,
        rng=np.random.default_rng(seed),
    )
    return Comparison(float(result.pvalue), smallest, subjects)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment: the chance of any false alarm over the whole list stays ≤ p.

    Sorted p_(1) ≤ … ≤ p_(m) become max_{j ≤ i} min(1, (m − j + 1)·p_(j)). None (not tested) stays
    None and does not count.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2), 65–70
    (https://www.jstor.org/stable/4615733).

    >>> holm([0.01, 0.04, 0.03, None])
    [0.03, 0.06, 0.06, None]
    """
    tested = [index for index, value in enumerate(p) if value is not None]
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for place, index in enumerate(sorted(tested, key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(tested) - place) * p[index]))
        adjusted[index] = highest
    return adjusted


def verdict(difference: Interval, p: float | None, sign: int) -> str:
    """The one rule by which a method is called `better` or `worse` than the best baseline.

    Both must speak: p of the paired test after Holm's correction over the board is at most 0.05,
    and the interval over subjects and seeds leaves out 0 (or the difference is infinite). Else the
    answer is `open`: these subjects and seeds cannot tell. Where nothing was tested, "".

    Arguments:
        difference: of the method and the baseline, paired by subject.
        p: after Holm's correction, None without a test.
        sign: 1 where higher is better, else −1.
    """
    if p is None or difference.mean is None:
        return ""
    endless = np.isinf(difference.mean)
    low, high = difference.low, difference.high
    apart = low is not None and high is not None and not low <= 0 <= high
    if p > ALPHA or not (apart or endless):
        return "open"
    return "better" if difference.mean * sign > 0 else "worse"


def _finite_difference(first: NDArray, second: NDArray) -> NDArray:
    """first − second; two perfect scores are equal, one alone is far above any other."""
    with np.errstate(invalid="ignore"):
        difference = np.where(first == second, 0.0, first - second)
    finite = np.abs(difference[np.isfinite(difference)])
    far = 1e3 * max(1.0, finite.max(initial=0.0))
    return np.nan_to_num(difference, nan=0.0, posinf=far, neginf=-far)


def _scored(table: ArrayLike) -> NDArray[np.float64]:
    """The table as float64 (subjects, seeds), without subjects and seeds that have no score."""
    table = np.asarray(table, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"expected a table (subjects, seeds), got shape {table.shape}")
    present = ~np.isnan(table)
    return table[present.any(axis=1)][:, present.any(axis=0)]


def _pair(table: ArrayLike, other: ArrayLike) -> tuple[NDArray, NDArray]:
    """Both tables, restricted to the subjects scored in both."""
    table, other = np.asarray(table, np.float64), np.asarray(other, np.float64)
    if len(table) != len(other):
        raise ValueError(f"tables with {len(table)} and {len(other)} subjects are not paired")
    both = ~np.isnan(table).all(axis=1) & ~np.isnan(other).all(axis=1)
    return _scored(table[both]), _scored(other[both])


def _bootstrap(
    tables: list[NDArray], signs: list[float], level: float, draws: int, seed: int
) -> Interval:
    """Σ sign·mean(table) with its interval; the tables share their drawn subjects."""
    subjects = len(tables[0])
    if subjects == 0:
        return Interval(None, None, None)
    if not all(np.isfinite(t[~np.isnan(t)]).all() for t in tables):
        return _endless(tables, signs)
    per_subject = sum(s * np.nanmean(t, axis=1) for s, t in zip(signs, tables, strict=True))
    mean = float(np.mean(per_subject))
    if subjects < FEWEST:
        return Interval(mean, None, None)
    rng = np.random.default_rng(seed)
    values = []
    step = max(1, _CELLS // subjects)
    for start in range(0, draws, step):
        count = min(step, draws - start)
        drawn = sum(s * _seed_means(t, count, rng) for s, t in zip(signs, tables, strict=True))
        weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=count).T
        present = ~np.isnan(drawn)
        total = np.where(present, drawn, 0.0) * weights
        with np.errstate(invalid="ignore"):  # a draw of only missing cells is 0/0: left out below
            values.append(total.sum(axis=0) / (weights * present).sum(axis=0))
    return limited(mean, np.concatenate(values), subjects, level)


def limited(mean: float, values: NDArray, subjects: int, level: float = 0.95) -> Interval:
    """The interval that drawn values leave; undefined draws (NaN) are left out."""
    if subjects < FEWEST or np.isnan(values).all():
        return Interval(mean, None, None)
    beyond = tail(subjects, level)
    low, high = np.nanquantile(values, [beyond, 1 - beyond])
    return Interval(mean, float(low), float(high))


def _endless(tables: list[NDArray], signs: list[float]) -> Interval:
    """A mean or difference in which perfect scores are infinite: no interval. Two infinite means
    do not differ."""
    means = [float(np.mean(np.nanmean(t, axis=1))) for t in tables]
    if len(means) == 2 and means[0] == means[1]:
        return Interval(0.0, None, None)
    return Interval(float(sum(s * m for s, m in zip(signs, means, strict=True))), None, None)


def _seed_means(table: NDArray, draws: int, rng: np.random.Generator) -> NDArray:
    """Each subject's mean over redrawn seeds, shape (subjects, draws), as one matrix product."""
    seeds = table.shape[1]
    if seeds == 1:
        return table  # broadcasts over the draws
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).T.astype(float)
    present = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return (np.where(present, table, 0.0) @ weights) / (present.astype(float) @ weights)
