"""The question of growth: what sizes and dates tell, alone and together."""

import pytest
import torch

from course_lib import catalogue
from course_lib.metrics.classification import auc_per_case
from course_lib.physics import growth
from course_lib.tasks.detection import growth as question


def auc(score, fast):
    """Area under the ROC curve of any score, 0 to 1."""
    ranks = score.double().argsort().argsort() / len(score)
    return float(auc_per_case(torch.stack([1 - ranks, ranks], 1), fast.long()).mean())


def test_neither_lag_nor_size_tells_much_alone_and_together_all():
    last = torch.randint(2, 6, (8000,), generator=torch.Generator().manual_seed(1))
    course = growth.courses(8000, 6, torch.Generator().manual_seed(0), None, last)
    at = {
        "lag": course["days"].diff(dim=1),
        "step": course["volume"].log2().diff(dim=1),
        "size": course["volume"][:, 1:],
        "fast": course["fast"][:, 1:],
    }
    at = {name: values.gather(1, last[:, None] - 1)[:, 0] for name, values in at.items()}
    assert at["fast"].mean() == 0.5 and (course["fast"][:, 0] == -1).all()
    assert 0.65 < auc(-at["lag"], at["fast"]) < 0.735
    assert 0.5 < auc(at["step"], at["fast"]) < 0.61
    assert 0.5 < auc(at["size"], at["fast"]) < 0.58
    assert auc(at["step"] / at["lag"], at["fast"]) > 0.999
    before = course["fast"].gather(1, last[:, None] - 1)[:, 0]
    assert auc(before, at["fast"]) == pytest.approx(growth.STAYS, abs=0.02)


def test_doubling_times_lie_on_their_side_of_400_days():
    course = growth.courses(4000, 6, torch.Generator().manual_seed(0))
    volume, lag = course["volume"], course["days"].diff(dim=1)
    fast = course["fast"][:, 1:] == 1
    time = growth.doubling_time(volume[:, :-1], volume[:, 1:], lag)
    assert (time[fast] < 400).all() and (time[~fast] > 400).all()
    assert lag.std() > 100  # irregular
    assert volume.max() <= 2 ** (growth.MOST_DOUBLINGS + 1e-3)
    same = (course["fast"][:, 2:] == course["fast"][:, 1:-1]).float().mean()
    assert same == pytest.approx(growth.STAYS, abs=0.02)


def test_in_regular_courses_sizes_tell_all_and_lags_nothing():
    regular = growth.courses(400, 6, torch.Generator().manual_seed(0), 180.0)
    assert torch.allclose(regular["days"].diff(dim=1), torch.tensor(180.0))
    step, fast = regular["volume"].log2().diff(dim=1), regular["fast"][:, 1:] == 1
    assert step[fast].min() > step[~fast].max()


def test_visits_are_in_order_and_padding_is_marked(series):
    batch = series.train.tensors
    for days, growth_, visits in zip(batch["days"], batch["growth"], batch["visits"], strict=True):
        assert (days[:visits].diff() > 0).all() and not days[visits:].any()
        assert (
            (growth_[1:visits] >= 0).all() and growth_[0] == -1 and (growth_[visits:] == -1).all()
        )


def test_lags_are_equal_in_the_regular_data_set_alone(splits):
    for dataset, regular in (("series/regular", True), ("series/irregular", False)):
        train = splits("detection", dataset).train
        lags = [d[:n].diff() for d, n in zip(train["days"], train["visits"], strict=True)]
        wanted = torch.tensor(question.REGULAR_DAYS)
        assert torch.allclose(torch.cat(lags), wanted) == regular


def test_only_the_answer_before_the_last_visit_counts_in_each_group_apart(series):
    batch, facts = series.test.tensors, series.facts
    last = (batch["visits"] - 1)[:, None]
    right = torch.zeros_like(batch["growth"])
    right.scatter_(1, last, batch["growth"].gather(1, last))
    scores = question.score({"fast": right}, batch, facts)
    assert set(scores) == {"auc", "brier"} and not scores["brier"].any()
    wrong = question.score({"fast": 1 - right}, batch, facts)
    assert (wrong["brier"] == 2).all()
    for part in batch["part"].unique():
        chosen = batch["part"] == part
        if len(batch["growth"].gather(1, last)[chosen].unique()) == 2:
            assert scores["auc"][chosen].mean() == pytest.approx(100)
            assert wrong["auc"][chosen].mean() == pytest.approx(0)


def test_a_bar_is_as_long_as_the_probability(series):
    batch = series.test.batch(slice(0, 2))
    half = torch.full_like(batch["growth"], 0.5)
    panels = question.pictures({"fast": half}, batch, series.facts)
    assert list(panels) == ["input", "output", "truth"]
    bar = panels["output"].values[:, -1].unflatten(1, (-1, 32)) == 400
    known = batch["growth"] >= 0
    assert torch.equal(bar.sum(-1), 16 * known) and not bar[~known].any()


def test_series_are_asked_for_auc_and_slices_for_froc():
    asked = {
        name: catalogue.question("detection", name).headline
        for name in catalogue.datasets("detection")
    }
    assert asked["chest_ct+lung_tumours/nodules"] == "froc" and asked["series/regular"] == "auc"
    assert catalogue.question("detection", "path:some/folder").headline == "mean_average_precision"
    tlstm, detector = catalogue.entry("tlstm"), catalogue.entry("retinanet")
    assert catalogue.fits(tlstm, "series/regular")
    assert not catalogue.fits(tlstm, "chest_ct+lung_tumours/nodules")
    assert not catalogue.fits(tlstm, "path:x") and catalogue.fits(detector, "path:x")
    assert not catalogue.fits(detector, "series/regular")
