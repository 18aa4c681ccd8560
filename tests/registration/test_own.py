"""Registration of the user's own pictures and volumes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.data.own import Scans
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
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


def test_own_facts_are_those_of_the_data():
    splits = example.own_splits()
    side = 44 / 16  # the widest, 22 voxels of 2 mm, fills the grid
    assert dict(splits.facts) == {
        "dims": 3, "channels": 1, "spacing_mm": (side,) * 3, "structures": (3, 7)
    }  # fmt: skip
    assert own.own_cases(example.pictures(6), "smoke", 0).facts.dims == 2
    assert own.own_cases(example.scans(labelled=False), "smoke", 0).facts.structures == ()


def test_own_data_that_do_not_fit_are_explained():
    with pytest.raises(CourseError, match="At least 4"):
        own.own_cases(example.pictures(3), "smoke", 0)
