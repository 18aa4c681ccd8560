"""Denoising of one's own CT."""

from dataclasses import replace

import numpy as np
import torch

from course_lib.data.volume import Volume
from course_lib.tasks import ct_scans, own_ct
from course_lib.tasks.base import PARTS
from course_lib.tasks.denoising import own
from course_lib.tasks.denoising.low_dose import SIZES
from tests.denoising.example import scans


def small_head() -> Volume:
    image = np.full((6, 30, 30), -1000, np.float32)
    image[:, 5:25, 5:25] = 40
    return Volume(image, (5.0, 8.0, 8.0), "head", "HU", (0.0, 0.0, 0.0))


def test_what_is_smaller_than_the_scanners_field_lies_in_air_and_not_in_a_chest():
    whole, region = ct_scans.on_grid(small_head(), [2, 3], 64, 360 / 64, chest=False)
    inside = torch.zeros(64, 64, dtype=torch.bool)
    top, left, bottom, right = region.tolist()
    inside[top:bottom, left:right] = True
    assert (whole[..., ~inside] == -1000).all() and (bottom - top, right - left) == (43, 43)
    chest, _ = ct_scans.on_grid(small_head(), [2, 3], 64, 360 / 64)
    assert (chest[..., ~inside] > -600).any()  # the course's own crops of tumours


def test_own_ct_in_a_small_field_says_so_and_air_alone_does_not_fail():
    data = scans()
    air = replace(data.volumes[0], image=np.full((6, 108, 108), -1000, np.float32))
    splits = own.own_cases(replace(data, volumes=(air, *data.volumes[1:])), "smoke", 0)
    said = " ".join(splits.notes)
    assert "Used: all 2 volumes to train" in said and "3 of 4 volumes are smaller than it" in said
    assert "5.62 mm instead of the files' 4 mm" in said


def test_parts_of_many_patients_have_a_bound_and_visits_their_own_names():
    volumes = scans(60).volumes
    twice = tuple(replace(v, name=f"{v.subject}-{k}") for v in volumes for k in (1, 2))
    splits = own.own_cases(replace(scans(1), volumes=twice), "smoke", 0)
    size = SIZES["smoke"]
    assert len(splits.train) <= own_ct.TRAINING_SLICES // size.every
    assert len(splits.validation) <= own_ct.VALIDATED * size.validation_slices
    assert len(splits.test) <= own_ct.TESTED * size.test_slices
    people = [set(getattr(splits, part).subject) for part in PARTS]
    assert sum(map(len, people)) == len(set.union(*people))
    assert splits.test.case[0].startswith(f"{splits.test.subject[0]}-")
