"""Translation of the user's own pairs."""

import numpy as np
import pytest
import torch

from course_lib import catalogue
from course_lib.data import own as data
from course_lib.errors import CourseError
from course_lib.tasks.translation import own
from tests.translation.example import own_splits, scans


def test_own_volumes_are_paired_by_name_and_split_by_subject(tmp_path):
    parts = own_splits()
    names = [set(p.subject) for p in (parts.train, parts.validation, parts.test)]
    assert set.union(*names) == set("abcd") and sum(map(len, names)) == 4
    batch = parts.train.tensors
    assert batch["source"].shape[-2:] == (48, 48)
    middle = (..., slice(8, 40), slice(14, 34))
    assert torch.allclose((batch["source"] + batch["target"])[middle], torch.tensor(2.0), atol=0.01)
    with pytest.raises(CourseError, match="target"):
        own.own_cases(scans(target=None), "smoke", 0)
    with pytest.raises(CourseError, match="translation"):
        own.own_cases(data.Pictures(tmp_path, "p", "l", (), (), ()), "smoke", 0)
    assert catalogue.fits(catalogue.entry("pix2pix"), "path:somewhere")
    assert catalogue.question("translation", "path:somewhere").id == "own"


def test_pairs_are_read_from_two_folders(tmp_path):
    import nibabel

    for volume in scans(3).volumes:
        for folder, image in (("source", volume.image), ("target", volume.labels["target"])):
            (tmp_path / folder).mkdir(exist_ok=True)
            file = tmp_path / folder / f"{volume.subject}.nii"
            nibabel.save(nibabel.Nifti1Image(image.T, np.eye(4)), file)
    parts = own.make(f"path:{tmp_path}", "smoke", 0)
    assert parts.facts.target_range[1] == pytest.approx(2, abs=0.01)
    assert len({*parts.train.subject, *parts.validation.subject, *parts.test.subject}) == 3


def test_what_is_asked_of_ct_alone_is_undefined_elsewhere():
    for unit, undefined in (("a.u.", True), ("HU", False)):
        parts = own.own_cases(scans(target=unit), "smoke", 0)
        assert parts.facts.hounsfield != undefined
        scores = own.score(parts.test["target"], parts.test.tensors, parts.facts)
        assert set(scores) == set(own.QUESTION.metrics)
        for name, values in scores.items():
            asked = name in ("mae", "bone_dice", "bone_distance")
            assert bool(values.isnan().all()) == (asked and undefined), name


def test_targets_in_other_units_keep_their_range_whatever_their_values():
    """Values far below zero are no CT as long as nobody says so."""
    from dataclasses import replace

    data = scans(target="HU")
    plain = tuple(replace(volume, target_unit="a.u.") for volume in data.volumes)
    facts = own.own_cases(replace(data, volumes=plain), "smoke", 0).facts
    assert not facts.hounsfield and facts.target_range == pytest.approx((-600, 1400), abs=5)


def test_distances_are_in_the_millimetres_of_each_volume():
    test = own.own_cases(scans(8, "HU"), "smoke", 0).test
    batch, facts = test.tensors, test.facts
    assert batch["pixel_mm"].unique().numel() == len(set(test.subject)) == 2
    moved = {**batch, "target": batch["target"].roll(1, -1)}
    found = own.score(batch["target"], moved, facts)["bone_distance"]
    doubled = own.score(batch["target"], {**moved, "pixel_mm": 2 * batch["pixel_mm"]}, facts)
    assert (found > 0).all() and torch.allclose(doubled["bone_distance"], 2 * found)
