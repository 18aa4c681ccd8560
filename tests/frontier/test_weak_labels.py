"""Few outlines: which are withheld, and what counts as one too many."""

import pytest
import torch

from course_lib.tasks.frontier import weak_labels


@pytest.mark.parametrize(("dataset", "count"), [("0_masks", 0), ("5_masks", 5), ("all_masks", 12)])
def test_outlines_beyond_the_budget_are_withheld(cases, dataset, count):
    found = cases(f"weak_labels/{dataset}")
    train = found.train
    assert found.facts.outlined == count
    assert int(train["has_mask"].sum()) == 2 * count
    for name in ("mask", "wide_mask"):
        shown = train[name].flatten(1).any(1)
        assert int(shown.sum()) == count and not shown[~train["has_mask"]].any()


def test_the_seed_decides_which_outlines_are_kept_and_nothing_else():
    one, other = (weak_labels.make("weak_labels/5_masks", "smoke", seed) for seed in (0, 1))
    assert not torch.equal(one.train["has_mask"], other.train["has_mask"])
    assert torch.equal(one.train["wide"], other.train["wide"]) and one.facts == other.facts
    assert all(torch.equal(one.test[name], other.test[name]) for name in one.test.tensors)


def test_outlines_in_empty_images_are_counted_apart(cases):
    test = cases("weak_labels/0_masks").test
    batch, nodule = test.tensors, test["label"] == 1
    for drawn, dice, false in ((batch["mask"].float(), 1.0, 0.0), (torch.ones(1), None, 100.0)):
        heat = drawn.expand_as(batch["mask"])
        answer = {"probability": torch.full((len(nodule), 2), 0.5), "map": heat}
        scores = weak_labels.score(answer, batch, test.facts)
        assert scores["false_outlines"][~nodule].tolist() == [false] * int((~nodule).sum())
        assert scores["false_outlines"][nodule].isnan().all()
        assert dice is None or scores["dice"][nodule].tolist() == [dice] * int(nodule.sum())
