"""Cases: whole tensors, batches as slices, patches gathered in place."""

import copy
from dataclasses import replace

import pytest
import torch

from course_lib.cases import Cases, Facts, join, random_patches
from course_lib.errors import CourseError


def some(count=5, side=12, first=0):
    """Cases whose every pixel tells its case, row and column."""
    case = torch.arange(first, first + count).view(-1, 1, 1, 1) * 10_000.0
    place = torch.arange(side).view(-1, 1) * 100.0 + torch.arange(side)
    image = case + place
    return Cases(
        tensors={"image": image, "twice": 2 * image},
        case=[f"c{first + i}" for i in range(count)],
        subject=[f"s{(first + i) // 2}" for i in range(count)],
        group=["all"] * count,
        spacing_mm=torch.ones(count, 2),
    )


def test_parts_must_fit():
    good = some()
    with pytest.raises(ValueError, match="one entry per case"):
        Cases(good.tensors, good.case[:-1], good.subject, good.group, good.spacing_mm)
    with pytest.raises(ValueError, match="unique"):
        Cases(good.tensors, ["same"] * 5, good.subject, good.group, good.spacing_mm)


def test_subset_and_join_keep_rows_together():
    cases = join([some(3), some(2, first=3)])
    assert len(cases) == 5
    part = cases.subset([4, 1])
    assert part.case == ["c4", "c1"] and part.subject == ["s2", "s0"]
    assert torch.equal(part["image"], cases["image"][[4, 1]])


def test_patches_come_from_one_place_in_every_image():
    cases = some()
    batch = random_patches(cases, ("image", "twice"), 200, 4, torch.Generator().manual_seed(1))
    assert batch["image"].shape == (200, 1, 4, 4)
    assert torch.equal(batch["twice"], 2 * batch["image"])
    corner = batch["image"][:, 0, 0, 0]
    which, row, column = (corner // 10_000).long(), corner % 10_000 // 100, corner % 100
    assert which.unique().tolist() == [0, 1, 2, 3, 4]
    assert row.min() == 0 and row.max() == 8 and column.min() == 0 and column.max() == 8
    expected = cases["image"][which[7], 0, int(row[7]) : int(row[7]) + 4]
    assert torch.equal(batch["image"][7, 0], expected[:, int(column[7]) : int(column[7]) + 4])


def test_patches_follow_the_generator():
    first, again, other = (
        random_patches(some(), ("image",), 9, 4, torch.Generator().manual_seed(seed))["image"]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_facts_are_read_by_name_and_compared():
    facts = Facts(dims=2, window=(-1000.0, 400.0))
    assert facts.dims == facts["dims"] == 2 and set(facts) == {"dims", "window"}
    assert facts == Facts(window=(-1000.0, 400.0), dims=2) != facts | {"dims": 3}
    assert (facts | {"classes": 2}).classes == 2 and "classes" not in facts
    with pytest.raises(CourseError, match="no fact 'camera'; it has: dims, window"):
        _ = facts.camera
    assert not hasattr(facts, "camera") and copy.deepcopy(facts) == facts


def test_cases_keep_their_facts_and_those_of_two_data_sets_are_not_joined():
    here = replace(some(), facts=Facts(dims=2))
    assert here.subset([0]).facts == here.to(torch.device("cpu")).facts == Facts(dims=2)
    there = replace(here, facts=Facts(dims=3), case=[f"{name}/2" for name in here.case])
    assert join([here, replace(there, facts=here.facts)]).facts == here.facts
    with pytest.raises(ValueError, match="several data sets"):
        join([here, there])
