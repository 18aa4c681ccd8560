"""Malignancy of nodules: who is tested, what scores mean."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import catalogue
from course_lib.data.lesions import stored
from course_lib.metrics import classification as metrics
from course_lib.tasks.base import Splits
from course_lib.tasks.classification import malignancy as question


def test_no_patient_is_in_two_parts_and_others_count_once():
    own = {part: [n.patient for n in nodules] for part, nodules in stored.split().items()}
    names = {part: set(found) for part, found in own.items()}
    assert not names["train"] & names["test"] and not names["validation"] & names["test"]
    assert not names["train"] & names["validation"]
    for part in ("validation", "test"):
        assert len(own[part]) == len(names[part])
    assert len(own["train"]) > len(names["train"])


def test_cases_are_split_like_the_patients(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    assert not known & set(cases.test.subject)
    assert not set(cases.train.subject) & set(cases.validation.subject)
    assert set(cases.test.group) == {question.OTHER_PATIENTS, question.OTHER_SCANNER}


def test_labels_are_the_readers_opinion_and_no_case_is_undecided(cases):
    for part in (cases.train, cases.validation, cases.test):
        assert torch.equal(part["label"], (part["malignancy"] > 3).long())
        assert (part["malignancy"] != 3).all()
        assert 0 < part["label"].float().mean() < 1
    assert cases.train.provenance["label"] == "readers' mean opinion"


def test_the_whole_nodule_lies_in_every_case(cases):
    for mask in (cases.test["mask"], cases.train["mask"], cases.validation["mask"]):
        assert (mask.flatten(1).sum(1) > 0).all()
        border = torch.cat([mask[..., 0, :], mask[..., -1, :], mask[..., 0], mask[..., -1]])
        assert border.float().mean() < 0.01
    generator = torch.Generator().manual_seed(0)
    batch = question.sample(cases.train, "smoke", 16, generator)
    assert (batch["mask"].flatten(1).sum(1) > 0).all()


def test_sampling_moves_image_and_mask_together(cases):
    train = cases.train
    wide = train["wide"].clone()
    wide[train["wide_mask"] > 0] = 5000.0
    marked = Splits(train, train, train).train
    marked.tensors["wide"], kept = wide, marked.tensors["wide"]
    batch = question.sample(marked, "smoke", 8, torch.Generator().manual_seed(0))
    marked.tensors["wide"] = kept
    assert torch.equal(batch["image"] == 5000.0, batch["mask"] > 0)
    assert "wide" not in batch


def test_sampling_moves_the_background_as_the_image(cases):
    """Outside the nodule the two are the same lung, whatever the shift and the turn."""
    batch = question.sample(cases.train, "smoke", 12, torch.Generator().manual_seed(0))
    outside = ~F.max_pool2d(batch["mask"].float(), 9, 1, 4).bool()
    apart = (batch["image"] - batch["background"]).abs()[outside]
    assert apart.median() < 1 and (batch["background"] != cases.train["background"][0]).any()


@pytest.mark.parametrize("count", [10, 4])
def test_small_sets_hold_both_labels_and_follow_the_seed(cases, count):
    drawn = [
        question._draw(cases.train, count, torch.Generator().manual_seed(seed)).case
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    part = question._draw(cases.train, count, torch.Generator().manual_seed(0))
    assert len(part) == count and part["label"].sum() == count // 2


def test_noisy_labels_are_wrong_for_a_fifth_of_training_and_nowhere_else():
    clean, noisy = (question.make(f"nodules/{name}", "smoke", 0) for name in ("300", "300_noisy"))
    wrong = (clean.train["label"] != noisy.train["label"]).float().mean()
    assert float(wrong) == pytest.approx(question.WRONG_LABELS, abs=1 / len(clean.train))
    assert torch.equal(clean.test["label"], noisy.test["label"])
    assert torch.equal(clean.train["image"], noisy.train["image"])


def test_the_seed_leaves_validation_and_test_alone(cases):
    other = question.make("nodules/10", "smoke", 7)
    assert other.test.case == cases.test.case
    assert torch.equal(other.test["image"], cases.test["image"])
    assert torch.equal(other.validation["image"], cases.validation["image"])


def test_the_other_scanner_is_softer_noisier_and_shows_the_same(cases):
    half = len(cases.test) // 2
    first, second = (cases.test.subset(range(k, k + half)) for k in (0, half))
    assert first.subject == second.subject and torch.equal(first["label"], second["label"])
    assert (second["scanner"] == 1).all() and (first["scanner"] == 0).all()
    change = second["image"] - first["image"]
    assert 40 < change.std() < 150 and abs(change.mean()) < 3
    wide = torch.tensor([0.0] * 16 + [1000.0] * 16).expand(1, 1, 32, 32)
    soft = question.softer_and_noisier(wide, 1.0, 0.0, torch.Generator().manual_seed(0))
    assert 150 < (soft[0, 0, 16, 15]) < 450 and soft.mean() == pytest.approx(500, rel=1e-3)


def test_scores_of_a_scanner_are_those_of_its_set(cases):
    batch = cases.test.tensors
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(len(cases.test), 2, generator=generator).softmax(1)
    scores = question.score(prediction, batch, cases.facts)
    for which in (0, 1):
        own = batch["scanner"] == which
        p, t = prediction[own], batch["label"][own]
        for name, value in (
            ("auc", metrics.auc(p[:, 1], t)),
            ("balanced_accuracy", metrics.balanced_accuracy(p.argmax(1), t, 2)),
            ("ece", metrics.calibration_error(p, t)),
            ("brier", metrics.brier(p, t).mean()),
        ):
            assert float(scores[name][own].mean()) == pytest.approx(float(value), abs=1e-5), name
        recall = metrics.recall_per_class(p.argmax(1), t, 2)
        assert float(scores["specificity"][own].nanmean()) == pytest.approx(float(recall[0]))
        assert float(scores["sensitivity"][own].nanmean()) == pytest.approx(float(recall[1]))


def test_perfect_and_opposite_predictions(cases):
    truth = nn.functional.one_hot(cases.test["label"], 2).float()
    right, wrong = (question.score(p, cases.test.tensors, cases.facts) for p in (truth, 1 - truth))
    assert (right["auc"] == 1).all() and (wrong["auc"] == 0).all()
    assert (right["brier"] == 0).all() and (wrong["brier"] == 2).all()


def test_pictures_show_the_probability_as_a_bar(cases):
    batch = cases.test.batch(slice(0, 2))
    panels = question.pictures(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), batch, cases.facts)
    assert panels["output"].values.mean((1, 2)).tolist() == [0.0, 0.75]
    assert torch.equal(panels["truth"].values.mean((1, 2)), batch["label"].float())
    assert panels["input"].window == (-1000, 400) and panels["input"].unit == "HU"


def test_refs_and_kinds_of_the_catalogue():
    entries = catalogue.methods("classification")
    assert {e.id for e in entries if e.baseline} == {
        "majority",
        "nodule_size",
        "radiomics_ml",
        "fixed_features_ml",
    }
    assert {e.id: e.ref for e in entries if e.ref} == {"agcnn_thorax": 102}
