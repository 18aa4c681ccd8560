"""Super-resolution of volumes of one's own."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.tasks.base import PARTS
from course_lib.tasks.super_resolution import own
from tests.super_resolution.example import volumes


def test_own_volumes_become_blocks_that_fit_all_of_them(tmp_path):
    draw = np.random.default_rng(0)
    for name, shape in (("a", (40, 30, 14)), ("b", (26, 50, 13)), ("c", (30, 30, 30))):
        image = nibabel.Nifti1Image(draw.random(shape, np.float32), np.diag([1, 1, 2, 1]))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    question = catalogue.question("super_resolution", f"path:{tmp_path}")
    splits = question.make(f"path:{tmp_path}", "smoke", 0)
    assert splits.train["high_resolution"].shape[1:] == (1, 12, 24, 24)
    assert splits.train.spacing_mm[0].tolist() == [2.0, 1.0, 1.0]
    subjects = [getattr(splits, part).subject for part in PARTS]
    assert sorted(name for part in subjects for name in part) == ["a", "b", "c"]
    batch = question.sample(splits.train, "smoke", 2, torch.Generator().manual_seed(0))
    assert batch["low_resolution"].shape == (2, 1, 12, 8, 8)
    nibabel.save(
        nibabel.Nifti1Image(np.ones((40, 40, 5), np.float32), np.eye(4)), tmp_path / "d.nii"
    )
    with pytest.raises(CourseError, match="at least 12 slices"):
        question.make(f"path:{tmp_path}", "smoke", 0)


@pytest.mark.parametrize("unit", ["HU", "a.u."])
def test_hu_are_kept_and_other_units_put_on_the_common_scale(unit):
    data = volumes(unit=unit)
    splits = own.own_cases(data, "smoke", 0)
    assert splits.facts.hounsfield == (unit == "HU") and splits.facts.scale == (1, 3, 3)
    high = splits.train["high_resolution"]
    brightest = max(float(volume.image.max()) for volume in data.volumes)
    if unit == "HU":
        assert high.min() == 0 and 200 < high.max() <= brightest
    else:
        assert high.min() == -1000 and high.max() == 1000


def test_two_units_in_one_set_are_refused():
    data = volumes(unit="a.u.")
    mixed = (replace(data.volumes[0], unit="HU"), *data.volumes[1:])
    with pytest.raises(CourseError, match=r"several units: .* holds HU and .*--unit"):
        own.own_cases(replace(data, volumes=mixed), "smoke", 0)


def test_blocks_lie_where_something_is():
    fine = torch.full((40, 90, 90), -1000.0)
    fine[20:34, 50:80, 8:30] = 200
    places = own.filled(fine, 2, 24, -500.0)
    assert places and all(20 <= z + 6 <= 34 for z, _, _ in places)
    for z, y, x in places:
        block = fine[z : z + 12, y : y + 24, x : x + 24]
        assert block.shape == (12, 24, 24) and (block > 0).float().mean() > 0.5


def test_small_volumes_are_named_and_left_out_on_request():
    data = volumes(5)
    thin = replace(data.volumes[1], image=data.volumes[1].image[:5])
    data = replace(data, volumes=(data.volumes[0], thin, *data.volumes[2:]))
    with pytest.raises(CourseError, match=r"p1 has 5 x 31 x 32 voxels.*--skip"):
        own.own_cases(data, "smoke", 0)
    splits = own.own_cases(data, "smoke", 0, skip=True)
    assert "p1" not in {name for part in PARTS for name in getattr(splits, part).subject}
    assert any("p1: smaller than a block" in note for note in splits.notes)
