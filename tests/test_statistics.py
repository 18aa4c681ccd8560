"""Intervals and tests: known coverage, an independent library, and enumeration by hand."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from course_lib.benchmark import statistics


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    trials, subjects, seeds = 300, 20, 4
    tables = (
        5.0
        + rng.normal(0, 1.0, (trials, subjects, 1))
        + rng.normal(0, 0.3, (trials, 1, seeds))
        + rng.normal(0, 0.5, (trials, subjects, seeds))
    )
    found = [statistics.interval(table, draws=400) for table in tables]
    covered = np.mean([low <= 5.0 <= high for _, low, high in found])
    assert 0.89 <= covered <= 0.985


def test_interval_ignoring_seeds_would_be_too_narrow():
    """Three seeds far apart and subjects all alike: the seeds must widen the interval."""
    table = np.tile([0.0, 1.0, 2.0], (6, 1))
    both = statistics.interval(table)
    subjects_only = statistics.interval(table.mean(axis=1, keepdims=True))
    assert subjects_only.high - subjects_only.low == 0
    assert both.high - both.low > 1.0


def test_coverage_with_few_subjects_is_what_a_simulation_finds():
    rng = np.random.default_rng(1)
    found = [statistics.interval(rng.normal(size=(4, 1)), draws=300) for _ in range(800)]
    covered = np.mean([low <= 0 <= high for _, low, high in found])
    assert covered == pytest.approx(statistics.coverage(4), abs=0.05)
    assert statistics.coverage(1000) == pytest.approx(0.95, abs=0.001)


def test_one_seed_agrees_with_scipy():
    scores = np.random.default_rng(2).gamma(2.0, size=12)
    level = 1 - 2 * statistics.tail(12)  # as far out as the expanded interval of 12 subjects
    reference = stats.bootstrap(
        (scores,),
        np.mean,
        method="percentile",
        confidence_level=level,
        n_resamples=20000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    ours = statistics.interval(scores[:, None], draws=20000)
    assert ours.mean == pytest.approx(scores.mean())
    assert ours.low == pytest.approx(reference.low, abs=0.03)
    assert ours.high == pytest.approx(reference.high, abs=0.03)


def test_one_subject_has_a_mean_and_no_interval():
    assert statistics.interval([[1.0, 3.0]]) == (2.0, None, None)
    assert statistics.interval([[np.nan], [np.nan]]) == (None, None, None)


def test_missing_scores_are_left_out_not_replaced():
    table = np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan], [6.0, 8.0]])
    mean, low, high = statistics.interval(table)
    assert mean == pytest.approx((2 + 5 + 7) / 3)
    assert 1.0 <= low < mean < high <= 8.0


def test_the_same_seed_gives_the_same_interval_in_any_batch(monkeypatch):
    table = np.random.default_rng(4).normal(size=(9, 3))
    assert statistics.interval(table, seed=5) == statistics.interval(table, seed=5)
    assert statistics.interval(table, seed=5) != statistics.interval(table, seed=6)
    whole = statistics.interval(table)
    monkeypatch.setattr(statistics, "_CELLS", 900)  # a hundred draws at a time
    batched = statistics.interval(table)
    assert batched == pytest.approx(whole, abs=0.05)


def test_paired_difference_cancels_hard_subjects():
    rng = np.random.default_rng(6)
    hard = rng.normal(30, 10, (8, 1))
    ours, base = hard + 1 + rng.normal(0, 0.1, (8, 3)), hard + rng.normal(0, 0.1, (8, 1))
    mean, low, high = statistics.difference_interval(ours, base)
    assert 0.8 < low < mean < high < 1.2
    with pytest.raises(ValueError, match="not paired"):
        statistics.difference_interval(ours, base[:4])


def test_subjects_missing_in_one_method_are_not_compared():
    ours = np.array([[2.0], [3.0], [np.nan], [100.0]])
    base = np.array([[1.0], [2.0], [0.0], [np.nan]])
    assert statistics.difference_interval(ours, base).mean == pytest.approx(1.0)
    assert statistics.paired_test(ours, base).subjects == 2


@pytest.mark.parametrize("subjects", [2, 4, 7, 10])
def test_sign_flip_equals_enumeration_by_hand(subjects):
    difference = np.random.default_rng(subjects).normal(0.5, 1, subjects)
    signs = np.array(list(product([-1, 1], repeat=subjects)))
    flipped = np.abs((signs * difference).mean(axis=1))
    by_hand = np.mean(flipped >= abs(difference.mean()) - 1e-12)
    found = statistics.paired_test(difference[:, None], np.zeros((subjects, 1)))
    assert found.p == pytest.approx(by_hand)
    assert found.smallest_p == 2 / 2**subjects <= found.p


def test_sign_flip_of_many_subjects_is_drawn_and_says_its_smallest_p():
    rng = np.random.default_rng(7)
    scores = rng.normal(0.25, 1, (40, 1))
    found = statistics.paired_test(scores, np.zeros((40, 1)))
    assert found.smallest_p == pytest.approx(2e-4)
    assert found.p == pytest.approx(stats.ttest_1samp(scores[:, 0], 0).pvalue, abs=0.03)


def test_equal_methods_have_p_one():
    table = np.random.default_rng(8).normal(size=(5, 2))
    assert statistics.paired_test(table, table).p == 1.0
    assert statistics.paired_test([[1.0]], [[0.0]]) == (1.0, 1.0, 1)
    assert statistics.paired_test([[np.nan]], [[0.0]]).p is None


def test_holm_on_a_worked_example():
    """R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")."""
    assert statistics.holm([0.05, 0.01, 0.03, 0.02, 0.04]) == pytest.approx(
        [0.09, 0.05, 0.09, 0.08, 0.09]
    )
    assert statistics.holm([None, 0.7, 0.6]) == [None, 1.0, 1.0]
    assert statistics.holm([]) == []
