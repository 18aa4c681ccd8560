"""Segmentation of the user's own volumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.catalogue import build
from course_lib.catalogue.segmentation import METHODS
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.tasks.base import Plan
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
    parts = own.of_scans(data, own.Budget(1000, *[10**6] * 3))
    spacing = parts.facts.spacing_mm
    assert spacing[0] == 3.0 and spacing[1] == spacing[2] > 1.0  # the finest sides give way first
    volume = (parts.train["label"] == 1).flatten(1).sum(1) * np.prod(spacing)
    assert volume.tolist() == pytest.approx([600 * 3.0] * 3, rel=0.35)
    assert any("instead of 3 x 1 x 1 mm" in note for note in parts.notes)


def test_a_budget_takes_whole_volumes_and_says_how_many():
    parts = own.of_scans(scans(), own.Budget(20_000, 2 * 16 * 24 * 32, 1, 1))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [2, 1, 1]
    assert "Used: 2 of 3 volumes to train, all 1 to validate, all 1 to test." in parts.notes
    assert any("3 x 1 x 1 mm (z, y, x), the median" in note for note in parts.notes)


def test_one_large_volume_does_not_coarsen_all_others():
    data = scans(9)
    big = data.volumes[4]
    label = np.zeros((40, 90, 100), np.int16)
    label[5:30, 5:30, 5:30] = 7
    large = replace(big, image=label.astype(np.float32), labels={"label": label}, subject="head")
    data = replace(data, volumes=(*data.volumes[:4], large, *data.volumes[5:]))
    with pytest.raises(CourseError, match=r"head \(120 x 90 x 100 mm\).*--skip"):
        own.own_cases(data, "class", 0)
    parts = own.own_cases(data, "class", 0, skip=True)
    assert parts.facts.spacing_mm == (3, 1, 1)
    assert "head" not in [*parts.train.case, *parts.validation.case, *parts.test.case]
    assert any("head: far larger" in note for note in parts.notes)


def test_volumes_without_a_label_map_are_named_and_left_out_on_request():
    data = scans(8)
    for place in (2, 5):
        data.volumes[place].labels.clear()
    with pytest.raises(CourseError, match=r"p2, p5 .*2 of 8 volumes have no label map.*--skip"):
        own.own_cases(data, "smoke", 0)
    parts = own.own_cases(data, "class", 0, skip=True)
    assert sum(map(len, (parts.train, parts.validation, parts.test))) == 6
    assert any("p2, p5: no label map" in note for note in parts.notes)


def test_a_given_split_is_kept_and_visits_of_one_subject_stay_together():
    data = scans(6)
    visits = [replace(v, subject=v.subject[:2], name=f"{v.subject}_1") for v in data.volumes]
    given = {v.case: part for v, part in zip(
        visits, ["test", "train", "train", "validation", "test", "train"], strict=True
    )}  # fmt: skip
    parts = own.own_cases(replace(data, volumes=tuple(visits), given=given), "class", 0)
    assert parts.test.case == ["p0_1", "p4_1"] and parts.test.subject == ["p0", "p4"]
    twins = [replace(v, subject=f"s{k // 2}", name=f"v{k}") for k, v in enumerate(data.volumes)]
    parts = own.own_cases(replace(data, volumes=tuple(twins)), "class", 0)
    people = [set(part.subject) for part in (parts.train, parts.validation, parts.test)]
    assert sorted(map(len, people)) == [1, 1, 1] and len(set.union(*people)) == 3


def test_two_units_in_one_set_are_refused():
    data = scans()
    mixed = (replace(data.volumes[0], unit="HU"), *data.volumes[1:])
    with pytest.raises(CourseError, match=r"p0 holds HU .*--unit"):
        own.own_cases(replace(data, volumes=mixed), "smoke", 0)


def test_volumes_are_read_one_after_the_other_and_only_those_that_are_used():
    asked = []

    class Lazy(tuple):
        def __getitem__(self, place):
            asked.append(place)
            return super().__getitem__(place)

    data = replace(scans(12), volumes=Lazy(scans(12).volumes))
    own.of_scans(data, own.Budget(20_000, 1, 1, 1))
    assert len(asked) == len(set(asked)) == 3


def test_own_data_without_labels_say_what_is_expected():
    with pytest.raises(CourseError, match="have no label map"):
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
    parts = own.own_cases(data, "smoke", 0)
    assert parts.facts.structures == ("head", "tail")
    assert any("never, drawn" in note for note in parts.notes)


def test_a_structure_that_only_the_test_has_counts_as_missed():
    data = scans()
    tested = own.own_cases(data, "smoke", 0).test.subject
    for volume in data.volumes:
        if volume.subject in tested:
            volume.labels["label"][1, 1, 1:4] = 12
    parts = own.own_cases(data, "smoke", 0)
    assert parts.facts.structures == ("head", "tail", "label 12")
    assert any("label 12" in note and "only be missed" in note for note in parts.notes)
    truth = parts.test["label"]
    assert not (parts.train["label"] == 3).any() and (truth == 3).any()
    blind = own.QUESTION.score(truth.masked_fill(truth == 3, 0), parts.test.tensors, parts.facts)
    assert blind["missed"].tolist() == [1] and blind["dice_smallest"].tolist() == [0]
    assert blind["dice"].tolist() == pytest.approx([2 / 3])


@pytest.mark.parametrize("slices", [1, 3])
def test_a_picture_or_a_few_slices_are_not_padded_to_eight_and_every_method_reads_them(slices):
    data = scans()
    thin = [
        replace(v, image=v.image[6 : 6 + slices], labels={"label": v.labels["label"][6:][:slices]})
        for v in data.volumes
    ]
    parts = own.own_cases(replace(data, volumes=tuple(thin)), "smoke", 0)
    assert parts.train["image"].shape[2:] == (slices, 24, 32)
    assert (parts.train["label"] == 1).flatten(1).sum(1).tolist() == [100 * slices] * 3
    named = [(e.id, {}) for e in METHODS if "own" in (e.questions or ("own",))]
    for method in [build(name, **options) for name, options in [*named, ("unet", {"dims": 3})]]:
        fit(
            method, own.QUESTION, parts, profile="smoke", seed=0, plan=Plan(2, 2, 1), progress=False
        )
        answer = method.predict(parts.test.batch([0]))
        assert answer.shape == parts.test["label"][:1].shape
