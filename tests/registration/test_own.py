"""Registration of the user's own pictures and volumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.methods.registration.affine import Affine
from course_lib.methods.registration.voxelmorph import VoxelMorph
from course_lib.tasks.registration import own
from tests.registration import example


def score(field, cases):
    answer = {"forward": field, "backward": field}
    return own.QUESTION.score(answer, cases.tensors, cases.facts)


def test_own_pictures_become_pairs_split_by_subject():
    splits = own.own_cases(example.pictures(6), "smoke", 0)
    trained = {name for case in splits.train.case for name in case.split("+")}
    tested = set(splits.test.subject)
    assert not tested & trained and not set(splits.validation.subject) & (trained | tested)
    assert splits.test["fixed"].shape[2:] == (32, 32)
    # One test subject alone is registered to training subjects, both ways.
    assert all(case.startswith(s) or case.endswith(s) for case, s in
               zip(splits.test.case, splits.test.subject, strict=True))  # fmt: skip
    zeros = torch.zeros(len(splits.test), 2, 32, 32)
    scores = score(zeros, splits.test)
    assert set(scores) == set(own.QUESTION.metrics)
    assert splits.facts.structures == () and scores["dice"].isnan().all()
    for name in set(scores) - {"dice"}:
        assert scores[name].isfinite().all(), name


def test_own_volumes_keep_labels_and_proportions():
    label = np.zeros((10, 20, 20), np.uint8)
    label[3:7, 5:15, 5:15] = 2
    volumes = tuple(
        Volume(label + 0.1 * k, (2.0, 1.0, 1.0), f"s{k}", "a.u.", (0, 0, 0), {"label": label})
        for k in range(8)
    )
    splits = own.own_cases(Scans(Path("scans"), "measured", "own", volumes), "smoke", 0)
    assert splits.test["fixed"].shape[2:] == (16, 16, 16)
    inside = splits.test["fixed_label"][0, 0] == 2
    extents = [int(inside.any(dim=d).any(dim=0).sum()) for d in (1, 0)]
    assert abs(extents[0] * 20 / 16 - 8) <= 2 and abs(extents[1] * 20 / 16 - 10) <= 2
    zeros = torch.zeros(len(splits.test), 3, 16, 16, 16)
    scores = score(zeros, splits.test)
    assert torch.allclose(scores["dice"], torch.ones(1))


def test_ct_of_some_and_mr_of_others_are_no_pairs():
    data = example.scans()
    mixed = (replace(data.volumes[0], unit="HU"), *data.volumes[1:])
    with pytest.raises(CourseError, match=r"p0 holds HU and p1, p2, p3 hold a\.u\..*--unit"):
        own.own_cases(replace(data, volumes=mixed), "smoke", 0)


def test_own_facts_are_those_of_the_data():
    splits = example.own_splits()
    side = 44 / 16  # the widest, 22 voxels of 2 mm, fills the grid
    assert dict(splits.facts) == {
        "dims": 3, "channels": 1, "spacing_mm": (side,) * 3, "structures": (3, 7)
    }  # fmt: skip
    assert own.own_cases(example.pictures(6), "smoke", 0).facts.dims == 2
    assert own.own_cases(example.scans(labelled=False), "smoke", 0).facts.structures == ()


def test_own_data_that_do_not_fit_are_explained():
    with pytest.raises(CourseError, match="one image, and a pair takes two"):
        own.own_cases(example.pictures(1), "smoke", 0)


@pytest.mark.parametrize("count", [2, 3])
def test_a_single_pair_is_registered_by_what_is_not_trained(count):
    splits = own.own_cases(example.scans(count), "smoke", 0)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [0, 0, 2]
    assert any(f"{count} subjects are too few to train on" in note for note in splits.notes)
    plain = Affine()
    history = fit(plain, own.QUESTION, splits, profile="smoke", seed=0, progress=False)
    answer = predict(plain, splits.test)
    scores = own.QUESTION.score(answer, splits.test.tensors, splits.facts)
    assert scores["dice"].isfinite().all() and history.candidates == 0
    with pytest.raises(CourseError, match="VoxelMorph learns, and there is nothing to learn from"):
        fit(VoxelMorph(), own.QUESTION, splits, profile="smoke", seed=0, progress=False)


def test_labels_rank_where_there_are_any():
    for labelled, headline in ((True, "dice"), (False, "dissimilarity")):
        facts = own.own_cases(example.scans(labelled=labelled), "smoke", 0).facts
        assert own.QUESTION.of(facts).headline == headline


def test_few_pairs_are_of_many_people_and_no_part_is_without_end():
    data = example.scans(40)
    splits = own.own_cases(data, "smoke", 0)
    sizes = [len(splits.train), len(splits.validation), len(splits.test)]
    assert sizes == list(own.COUNTS["smoke"][1])
    assert len(set(splits.test.subject)) == 2
    assert max(own.COUNTS["class"][1][1:]) <= 40 and own.COUNTS["class"][1][1] <= 12
    ring = own._ring(range(5), 1000)
    assert len(ring) == len(set(ring)) == 20 and len({a for a, _ in ring[:5]}) == 5


def test_only_the_volumes_in_pairs_are_read():
    asked = []

    class Lazy(tuple):
        heads = example.scans(40).heads

        def __getitem__(self, place):
            asked.append(place)
            return super().__getitem__(place)

    data = example.scans(40)
    own.own_cases(replace(data, volumes=Lazy(data.volumes)), "smoke", 0)
    assert len(asked) == len(set(asked)) <= 12


def test_a_given_split_is_kept_and_one_large_head_does_not_coarsen_crops():
    data = example.scans(6)
    given = dict(
        zip([f"p{k}" for k in range(6)], [*["test"] * 2, *["train"] * 3, "validation"], strict=True)
    )
    splits = own.own_cases(replace(data, given=given), "smoke", 0)
    assert set(splits.test.subject) == {"p0", "p1"} and set(splits.validation.subject) == {"p5"}
    large = replace(data.volumes[0], spacing_mm=(30.0, 20.0, 20.0))
    data = replace(data, volumes=(large, *data.volumes[1:]))
    with pytest.raises(CourseError, match=r"p0 .*--skip"):
        own.own_cases(data, "smoke", 0)
    splits = own.own_cases(data, "smoke", 0, skip=True)
    assert any("p0: far larger" in note for note in splits.notes)


def test_large_numbers_of_labels_stay_apart():
    data = example.scans()
    for volume in data.volumes:
        volume.labels["label"] = np.where(volume.labels["label"] == 7, 1035, 2035) * (
            volume.labels["label"] > 0
        )
    splits = own.own_cases(data, "smoke", 0)
    assert splits.facts.structures == (1, 2)
    assert set(splits.test["fixed_label"].unique().tolist()) == {0, 1, 2}
