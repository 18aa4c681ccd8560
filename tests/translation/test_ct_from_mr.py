"""CT from MR: who is tested, what pairs are, how they are scored."""

import math

import pytest
import torch

from course_lib.physics.misalignment import misalignment
from course_lib.tasks.translation import ct_from_mr as task
from tests.translation.made import batch_of


@pytest.fixture
def cases(splits):
    return splits("translation")


@pytest.fixture(scope="module")
def unpaired():
    return task.make("mr_to_ct/unpaired", "smoke", 0)


def donors(cases):
    return {name for subject in cases.subject for name in subject.split(" + ")}


@pytest.mark.parametrize("kind", ["aligned", "unpaired"])
def test_donors_of_training_validation_and_test_are_different_people(kind):
    parts = task.make(f"mr_to_ct/{kind}", "smoke", 0)
    train, validation, test = (donors(p) for p in (parts.train, parts.validation, parts.test))
    assert not (train & validation or train & test or validation & test)
    assert len(test) == 2


def test_unpaired_sources_and_targets_are_of_different_donors(unpaired):
    sides = [subject.split(" + ") for subject in unpaired.train.subject]
    sources, targets = ({side[k] for side in sides} for k in (0, 1))
    assert sources and targets and not sources & targets


def test_the_seed_decides_the_training_and_nothing_else(cases):
    other = task.make("mr_to_ct/aligned", "smoke", 1)
    assert not torch.equal(other.train["source"], cases.train["source"])
    assert torch.equal(other.test["target"], cases.test["target"])
    assert other.validation.case == cases.validation.case


@pytest.mark.parametrize("mm", [3.0, 12.0])
def test_misalignment_has_the_size_that_its_name_says(mm):
    moves = misalignment(200, 48, mm, 224 / 48, torch.Generator().manual_seed(0))
    size = moves.square().sum(1).mean().sqrt() * 224 / 48
    assert float(size) == pytest.approx(mm, rel=0.05)
    shift = moves.mean((2, 3))
    assert (shift.norm(dim=1) > 0).all() and (moves - shift[..., None, None]).abs().max() > 0.1
    assert moves.mean().abs() * 224 / 48 < 0.2 * mm  # no direction is preferred


def test_misalignment_moves_training_targets_only(cases):
    moved = task.make("mr_to_ct/misaligned_12mm", "smoke", 0)
    assert torch.equal(moved.train["source"], cases.train["source"])
    assert not torch.allclose(moved.train["target"], cases.train["target"], atol=100)
    for part in ("validation", "test"):
        assert torch.equal(getattr(moved, part)["target"], getattr(cases, part)["target"])


def test_the_pair_shows_one_anatomy_and_the_unpaired_target_another(cases):
    source, target = cases.train["source"], cases.train["target"]
    body = target > -500
    assert source[body].mean() > 5 * source[~body].mean()  # the same outline
    bone = (target > 600) & cases.train["head"]
    assert source[bone].mean() < 0.6 * source[body & ~bone].mean()  # dark in MR, bright in CT
    batch = batch_of(cases, 64)
    same = (batch["target"] == batch["unpaired_target"]).flatten(1).all(1).float().mean()
    assert same < 0.35  # one in eight cases by chance


def test_few_is_a_tenth(unpaired):
    few = task.make("mr_to_ct/unpaired_few", "smoke", 0)
    assert len(few.train) < len(unpaired.train)
    assert len(few.test) == len(unpaired.test)


def test_scores_of_known_errors(cases):
    batch, facts = cases.test.tensors, cases.facts
    target = batch["target"].clamp(-1000, 1500)
    perfect = task.score(target, batch, facts)
    assert torch.isinf(perfect["psnr"]).all() and (perfect["bone_distance"] == 0).all()
    assert torch.allclose(perfect["bone_dice"], torch.ones(len(target)))
    inside = target.clamp(-900, 1400)
    shifted = task.score(inside + 50, batch | {"target": inside}, facts)
    assert torch.allclose(shifted["mae"], torch.full((len(target),), 50.0), atol=1e-2)
    assert torch.allclose(shifted["psnr"], torch.tensor(20 * math.log10(2500 / 50)), atol=1e-2)
    assert (shifted["edge_distance"] < 1e-3).all()
    outside = task.score(target + 500 * ~batch["head"], batch, facts)
    assert torch.allclose(outside["mae"], torch.zeros(len(target)), atol=1e-3)


def test_a_moved_head_is_seen_by_the_boundary_scores(cases):
    batch, facts = cases.test.tensors, cases.facts
    moved = task.score(torch.roll(batch["target"], 1, dims=-1), batch, facts)
    further = task.score(torch.roll(batch["target"], 3, dims=-1), batch, facts)
    pixel = 224 / 48
    assert (moved["bone_distance"] < pixel).all() and (moved["bone_distance"] > 0.2 * pixel).all()
    assert (further["edge_distance"] > moved["edge_distance"]).all()


def test_pictures_are_what_they_say(cases):
    batch, facts = cases.test.tensors, cases.facts
    panels = task.QUESTION.pictures(batch["target"] + 5, batch, facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert (panels["error"].values - 5).abs().max() < 1e-3
    assert panels["input"].window == facts.source_range and panels["output"].unit == "HU"


def test_facts_are_those_of_the_scanners(cases):
    assert cases.facts.target_range == (-1000.0, 1500.0) and cases.facts.hounsfield
    assert cases.facts.pixel_mm == pytest.approx(224 / 48)
    low, high = cases.facts.source_range
    source = cases.train["source"]
    assert source.min() > low - 0.1 and (source < high).float().mean() > 0.99
