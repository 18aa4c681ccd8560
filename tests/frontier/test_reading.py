"""What all questions of the frontier share: who is tested, what a case shows, how scores count."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.metrics import saliency
from course_lib.tasks.frontier import presence, reading

DATASETS = tuple(catalogue.datasets("frontier"))
METRICS = {
    "scanner_shift": ["auc", "ece", "brier", "dice", "pointing"],
    "explanations": ["pointing", "mass", "sanity", "deletion", "insertion", "auc"],
    "shortcuts": ["pointing", "marker", "mass", "sanity", "auc"],
    "weak_labels": ["dice", "false_outlines", "pointing", "mass", "auc"],
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_test_patients_are_in_no_other_part(cases, dataset):
    found = cases(dataset)
    parts = [set(part.subject) for part in (found.train, found.validation, found.test)]
    assert not parts[2] & (parts[0] | parts[1]) and not parts[0] & parts[1]
    assert "LIDC-IDRI-0001" not in parts[2]  # whose lung is the background


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_question_asks_in_its_own_metrics(cases, dataset):
    question, test = catalogue.question("frontier", dataset), cases(dataset).test
    perfect = {
        "probability": nn.functional.one_hot(test["label"], 2).float(),
        "map": test["mask"].float(),
        "randomised": torch.rand(test["mask"].shape, generator=torch.Generator().manual_seed(0)),
    }
    scores = question.score(perfect, test.tensors, test.facts)
    assert list(scores) == list(question.metrics) == METRICS[question.id]
    assert question.headline == METRICS[question.id][0]
    for name in {"auc", "dice", "pointing", "mass"} & set(scores):
        assert float(scores[name].nanmean()) == 1
    for name in {"dice", "pointing", "mass"} & set(scores):
        assert scores[name].isnan().tolist() == (test["label"] == 0).tolist()
    if "ece" in scores:
        assert float(scores["ece"].mean()) == 0
    if "sanity" in scores:
        nodule = test["label"] == 1
        assert (scores["sanity"][nodule].abs() < 0.2).all()


def test_both_versions_of_a_place_differ_by_the_nodule_alone():
    found = presence.pairs("test", 8)
    with_nodule, without = found["image"][::2], found["image"][1::2]
    assert found["label"].tolist() == [1, 0] * 8
    assert found["mask"][::2].flatten(1).any(1).all() and not found["mask"][1::2].any()
    changed = with_nodule != without
    near = saliency.grown(found["mask"][::2], 20)  # soft edge, spicules, and what lies above
    assert not (changed & ~near).any() and changed.flatten(1).any(1).all()


def test_a_batch_cuts_and_turns_image_and_mask_together(cases):
    train = cases("explanations/nodules").train
    # Where the nodule lies, the image is made bright: image and mask then say the same.
    told = (("image", "mask"), ("wide", "wide_mask"))
    bright = {key: torch.where(train[mask], 5000.0, train[key]) for key, mask in told}
    marked = reading.extended(train, **bright)
    batch = reading.sample(marked, "smoke", 12, torch.Generator().manual_seed(0))
    assert set(batch) == {"image", "mask", "label"} and batch["image"].shape == (12, 1, 64, 64)
    assert torch.equal(batch["image"] == 5000, batch["mask"])
    assert torch.equal(batch["mask"].flatten(1).any(1), batch["label"] == 1)


def test_a_batch_cuts_each_piece_anew(cases):
    one = cases("explanations/nodules").train.subset([0])
    batch = reading.sample(one, "smoke", 8, torch.Generator().manual_seed(0))
    assert len({tuple(mask.nonzero()[0].tolist()) for mask in batch["mask"]}) > 4


def test_ranks_among_groups_are_those_of_each_group_alone():
    share, groups = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([1, 0, 1, 0])
    found = reading.among(groups, lambda own: own / own.sum(), share)
    assert found.tolist() == pytest.approx([0.2, 0.2, 0.8, 0.8])
