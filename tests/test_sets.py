"""Scores of a set of cases: drawn anew with the subjects, never outside their range."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from course_lib import catalogue
from course_lib.benchmark import sets
from course_lib.cases import Facts
from course_lib.metrics import classification

SHARES = {
    "auc": classification.auc_per_case,
    "balanced_accuracy": classification.balanced_per_case,
    "ece 15": classification.calibration_per_case,
}


def cases(shares, evidence, subjects):
    """As a record holds them."""
    return [
        {"subject": subject, "scores": {"score": float(share)}, "evidence": told}
        for share, told, subject in zip(shares, evidence, subjects, strict=True)
    ]


def answered(count, classes, seed, skill=1.0, way="auc"):
    """A record's cases of an answer of some skill, two cases of each subject."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % classes
    strength = torch.randn(count, classes, generator=draw)
    strength[torch.arange(count), label] += skill
    probabilities = strength.softmax(1)
    told = [
        {"answer": p, "label": k}
        for p, k in zip(probabilities.tolist(), label.tolist(), strict=True)
    ]
    names = [f"s{k // 2}" for k in range(count)]
    return cases(SHARES[way](probabilities, label), told, names)


def run(found, way="auc", unit=""):
    place = {name: k for k, name in enumerate(dict.fromkeys(c["subject"] for c in found))}
    return sets.run("score", {"of_set": way, "unit": unit}, found, place)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("way", list(SHARES))
def test_the_set_drawn_once_has_the_mean_of_the_shares(way, classes):
    found = answered(60, classes, 0, way=way)
    whole = run(found, way).value(np.ones((1, 60)))
    assert whole[0] == pytest.approx(np.mean([c["scores"]["score"] for c in found]), abs=1e-5)


@pytest.mark.parametrize("way", list(SHARES))
def test_a_drawn_set_has_the_score_of_its_cases(way):
    """Each draw against the metric itself on the cases repeated as often as they were drawn."""
    found = answered(40, 3, 1, way=way)
    weights = np.random.default_rng(2).multinomial(40, np.full(40, 1 / 40), size=5)
    for drawn, value in zip(weights, run(found, way).value(weights.astype(float)), strict=True):
        index = np.repeat(np.arange(40), drawn)
        answer = torch.tensor([found[k]["evidence"]["answer"] for k in index])
        label = torch.tensor([found[k]["evidence"]["label"] for k in index])
        assert value == pytest.approx(float(SHARES[way](answer, label).mean()), abs=1e-5)


def test_no_interval_of_a_nearly_perfect_answer_leaves_the_range():
    """Where the mean of drawn shares does."""
    found = answered(24, 2, 3, skill=1.5)
    mean, low, high = sets.interval([run(found)], 12)
    assert 0 <= low < mean <= high <= 1
    shares = np.array([c["scores"]["score"] for c in found]).reshape(12, 2).mean(1)
    rng = np.random.default_rng(0)
    assert max(rng.choice(shares, 12).mean() for _ in range(500)) > 1


def test_the_interval_is_that_of_a_plain_bootstrap_of_subjects():
    found = answered(200, 2, 4)
    mean, low, high = sets.interval([run(found)], 100)
    rng = np.random.default_rng(5)
    answer = torch.tensor([c["evidence"]["answer"] for c in found])[:, 1]
    label = torch.tensor([c["evidence"]["label"] for c in found])
    drawn = []
    for _ in range(500):
        index = np.repeat(2 * rng.integers(100, size=100), 2)
        index[1::2] += 1
        drawn.append(float(classification.auc(answer[index], label[index])))
    assert mean == pytest.approx(float(classification.auc(answer, label)))
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_trainings_far_apart_widen_the_interval():
    good, bad = answered(80, 2, 6, skill=3.0), answered(80, 2, 7, skill=0.0)
    alone = sets.interval([run(good)], 40)
    both = sets.interval([run(good), run(bad)], 40)
    assert both.high - both.low > 2 * (alone.high - alone.low)


def test_the_difference_of_a_method_and_itself_is_nothing():
    found = answered(40, 2, 8)
    assert sets.difference_interval([run(found)], [run(found)], 20) == pytest.approx((0, 0, 0))
    better = answered(40, 2, 8, skill=4.0)
    mean, low, high = sets.difference_interval([run(better)], [run(found)], 20)
    assert 0 < low < mean < high <= 1


def test_targets_found_are_a_share_of_those_drawn():
    """One image holds 9 of 12 targets: the mean of its shares alone would be 300%."""
    targets = [[9], [1], [1], [1]]
    found = cases([300.0, 0, 0, 33.3], [{"targets": t} for t in targets], "abcd")
    once = run(found, "found", "%")
    assert once.value(np.array([[4.0, 0, 0, 0]]))[0] == pytest.approx(100)
    assert once.value(np.ones((1, 4)))[0] == pytest.approx((300 + 33.3) / 4)
    assert sets.interval([once], 4).high <= 100 + 1e-9


def test_without_evidence_no_set_can_be_drawn():
    found = answered(10, 2, 9)
    del found[3]["evidence"]
    assert run(found) is None
    assert run(answered(10, 2, 9), "unheard of") is None


def test_questions_keep_what_their_scores_of_sets_are_counted_from():
    """The question's own scores and evidence, of a made-up answer."""
    question = catalogue.question("classification", "nodules/100")
    draw = torch.Generator().manual_seed(0)
    batch = {"label": torch.arange(20) % 2, "scanner": torch.zeros(20, dtype=torch.long)}
    prediction = torch.randn(20, 2, generator=draw).softmax(1)
    agree(question, prediction, batch, Facts(dims=2, channels=1, classes=2))


def test_detection_counts_its_targets():
    question = catalogue.question("detection", "chest_ct/nodules")
    boxes = torch.tensor([[[2.0, 2, 8, 8], [20, 20, 28, 28]], [[5, 5, 9, 9], [0, 0, 0, 0]]])
    batch = {
        "boxes": boxes,
        "labels": torch.tensor([[0, 0], [0, -1]]),
        "ignore": torch.zeros(2, 1, 4),
        "part": torch.ones(2, dtype=torch.long),
    }
    prediction = {
        "boxes": boxes,
        "scores": torch.tensor([[0.9, 0.2], [0.7, 0.0]]),
        "labels": torch.tensor([[0, 0], [0, -1]]),
    }
    agree(question, prediction, batch, Facts(dims=2, channels=1, classes=1))


def agree(question, prediction, batch, facts):
    """The mean of each score of a set is what its evidence gives."""
    scores = question.score(prediction, batch, facts)
    told = {k: v.tolist() for k, v in question.evidence(prediction, batch, facts).items()}
    of_set = [name for name, metric in question.metrics.items() if metric.of_set]
    assert question.headline in of_set
    for name in of_set:
        values = scores[name].tolist()
        held = [
            {"subject": str(k), "scores": {name: v}, "evidence": {n: t[k] for n, t in told.items()}}
            for k, v in enumerate(values)
        ]
        place = {str(k): k for k in range(len(held))}
        found = sets.run(name, asdict(question.metrics[name]), held, place)
        assert found.value(np.ones((1, len(held))))[0] == pytest.approx(np.mean(values), abs=1e-4)
