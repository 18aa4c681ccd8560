"""MR reconstruction of the user's own volumes."""

import numpy as np
import pytest
import torch

from course_lib import catalogue
from course_lib.data import own as data
from course_lib.errors import CourseError
from course_lib.tasks.base import PARTS
from course_lib.tasks.reconstruction_mr import own
from tests.reconstruction_mr.example import own_splits, scans


def test_own_magnitudes_get_a_phase_and_ct_is_refused(tmp_path):
    import nibabel

    draw = np.random.default_rng(0)
    for name in "abc":
        volume = draw.random((40, 50, 9), np.float32)
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([2, 2, 3, 1])), tmp_path / f"{name}.nii")
    dataset = f"path:{tmp_path}"
    question = catalogue.question("reconstruction_mr", dataset)
    assert question.id == "own"
    splits = question.make(dataset, "smoke", 0)
    subjects = [set(getattr(splits, part).subject) for part in PARTS]
    assert len(set.union(*subjects)) == 3 == sum(map(len, subjects))
    assert splits.test["target"].shape[1:] == (1, 64, 64)
    assert splits.test["target"].imag.abs().max() > 0.1
    with pytest.raises(CourseError, match="HU"):
        question.make(f"{dataset}?unit=HU", "smoke", 0)
    nibabel.save(nibabel.Nifti1Image(volume * -2000, np.eye(4)), tmp_path / "d.nii")
    with pytest.raises(CourseError, match=r"d in .* holds no value above 0"):
        question.make(dataset, "smoke", 0)


def test_wide_volumes_are_fitted_whole_and_keep_their_scale():
    test = own_splits().test
    assert torch.allclose(test.spacing_mm, torch.tensor(250 / 64))
    bright = test["target"].abs()[:, 0] > 0.1
    high, wide = bright.any(2).sum(1), bright.any(1).sum(1)
    assert (high > wide).all() and high.max() <= 64


def test_what_is_no_volume_of_magnitudes_is_refused(tmp_path):
    with pytest.raises(CourseError, match="p0, p1, p2, p3 in mine hold HU"):
        own.own_cases(scans(unit="HU"), "smoke", 0)
    with pytest.raises(CourseError, match="reconstruction_mr"):
        own.own_cases(data.Pictures(tmp_path, "p", "l", (), (), ()), "smoke", 0)
