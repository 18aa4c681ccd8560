"""CT reconstruction of one's own patients."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.tasks.base import PARTS
from course_lib.tasks.reconstruction_ct import few_views, own
from tests.reconstruction_ct.example import own_splits, scans


def test_own_ct_is_scanned_with_thirty_views_and_split_by_subject():
    splits = own_splits()
    subjects = [set(getattr(splits, part).subject) for part in PARTS]
    assert sorted(map(len, subjects)) == [1, 1, 2] and len(set.union(*subjects)) == 4
    assert splits.facts == few_views.facts_of(64, few_views.ACQUISITIONS["30_views"])
    assert splits.test["sinogram"].shape[2] == 30
    scores = own.QUESTION.score(splits.test["target"], splits.test.tensors, splits.facts)
    assert scores["ssim"].min() == pytest.approx(1) and torch.isinf(scores["psnr"]).all()


def test_volumes_that_are_no_ct_are_refused():
    with pytest.raises(CourseError, match="no CT"):
        own.own_cases(scans(unit="a.u."), "smoke", 0)
