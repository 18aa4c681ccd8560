"""Segmentation of the user's own volumes."""

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.tasks.segmentation import own
from tests.segmentation.example import scans


def test_own_volumes_come_to_one_grid_with_their_millimetres():
    parts = own.own_cases(scans(), "class", 0)
    every = [parts.train, parts.validation, parts.test]
    subjects = [name for part in every for name in part.subject]
    assert sorted(subjects) == [f"p{k}" for k in range(5)]
    assert {tuple(part["image"].shape[2:]) for part in every} == {(16, 24, 32)}
    for part in every:
        assert part.facts.spacing_mm == (3, 1, 1) and part.facts.classes == 3
        assert part.spacing_mm[0].tolist() == [3, 1, 1]
        for label in part["label"]:
            assert [int((label == k).sum()) for k in (1, 2)] == [600, 27]  # the larger one is 1
        assert torch.equal(part["image"] > 5, part["label"] == 1)
    smaller = own.own_cases(scans(), "smoke", 0)
    assert [len(p) for p in (smaller.train, smaller.validation, smaller.test)] == [3, 1, 1]


def test_own_volumes_that_are_too_large_become_coarser_and_keep_their_size():
    data = scans()
    spacing, shape = own._common_grid(list(data.volumes), (8, 10, 14))
    assert shape == (8, 16, 16) and spacing == pytest.approx((6.0, 2.0, 32 / 14))
    cases = own.of_scans(data, (8, 10, 14), (60, 6, 20)).train
    volume = (cases["label"] == 1).flatten(1).sum(1) * np.prod(spacing)
    assert volume.tolist() == pytest.approx([600 * 3.0] * 3, rel=0.35)


def test_own_data_without_labels_say_what_is_expected():
    with pytest.raises(CourseError, match="has no label map"):
        own.own_cases(scans(labels=False), "smoke", 0)
    empty = scans()
    for volume in empty.volumes:
        volume.labels["label"][:] = 0
    with pytest.raises(CourseError, match="nothing but 0"):
        own.own_cases(empty, "smoke", 0)


def test_own_structures_keep_their_names_or_else_their_numbers():
    named = own.own_cases(scans(), "smoke", 0).facts
    assert named.structures == ("head", "tail")  # the larger one first
    data = scans()
    data.names.clear()
    assert own.own_cases(data, "smoke", 0).facts.structures == ("label 7", "label 3")


def test_a_structure_that_is_named_and_in_no_map_is_no_structure():
    data = scans()
    data.names.update({1: "never", 9: "drawn"})
    assert own.own_cases(data, "smoke", 0).facts.structures == ("head", "tail")


def test_a_structure_that_only_the_test_has_counts_as_missed():
    data = scans()
    tested = own.own_cases(data, "smoke", 0).test.subject
    for volume in data.volumes:
        if volume.subject in tested:
            volume.labels["label"][1, 1, 1:4] = 12
    parts = own.own_cases(data, "smoke", 0)
    assert parts.facts.structures == ("head", "tail", "label 12")
    truth = parts.test["label"]
    assert not (parts.train["label"] == 3).any() and (truth == 3).any()
    blind = own.QUESTION.score(truth.masked_fill(truth == 3, 0), parts.test.tensors, parts.facts)
    assert blind["missed"].tolist() == [1] and blind["dice_smallest"].tolist() == [0]
    assert blind["dice"].tolist() == pytest.approx([2 / 3])
