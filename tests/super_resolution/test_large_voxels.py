"""Super-resolution: who is tested, what is lost."""

import pytest
import torch

from course_lib import catalogue
from course_lib.physics.resolution import enlarge
from course_lib.tasks.base import PARTS
from course_lib.tasks.super_resolution import large_voxels
from tests.super_resolution.example import seeded


@pytest.fixture
def cases(splits):
    return splits("super_resolution")


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    groups = dict(zip(cases.test.subject, cases.test.group, strict=True))
    others = {s for s, group in groups.items() if group == large_voxels.OTHER_PATIENTS}
    assert len(others) == 4 and not known & others
    assert {g for s, g in groups.items() if s in known} == {large_voxels.SAME_PATIENT}


def test_blocks_of_the_training_patient_lie_a_centimetre_apart():
    starts = [large_voxels.VALIDATION_BLOCK, large_voxels.TEST_BLOCK]
    parts = [large_voxels.TRAIN_BLOCKS, *([start] for start in starts)]
    used = [{z + i for z in part for i in range(large_voxels.DEPTH)} for part in parts]
    for i, first in enumerate(used):
        for second in used[i + 1 :]:
            assert (min(abs(a - b) for a in first for b in second) - 1) * 2.5 >= 10


@pytest.mark.parametrize("dataset", ["blur_x2", "kspace_x4", "thick_x3", "bicubic_x6"])
def test_each_data_set_loses_what_its_name_says(dataset):
    found = large_voxels.make(f"chest_ct/{dataset}", "smoke", 0)
    _, kind, scale = large_voxels.parse(f"chest_ct/{dataset}")
    factor = int(dataset[-1])
    assert scale == ((factor, 1, 1) if kind == "thick" else (1, factor, factor))
    for part in (found.train, found.validation, found.test):
        high, low = part["high_resolution"], part["low_resolution"]
        ratio = [a // b for a, b in zip(high.shape[2:], low.shape[2:], strict=True)]
        assert tuple(ratio) == scale and part.facts.scale == scale
        assert high.min() >= -1000 and abs(high.mean() - low.mean()) < 15
    assert found.test.subject == ["LIDC-IDRI-0001"] * 2


def test_the_seed_decides_the_noise_of_thick_slices_only():
    thick, other, clean, same = (
        large_voxels.make(f"chest_ct/{kind}", "smoke", seed).test["low_resolution"]
        for kind, seed in (("thick_x3", 0), ("thick_x3", 1), ("blur_x3", 0), ("blur_x3", 1))
    )
    assert not torch.equal(thick, other) and torch.equal(clean, same)
    assert (thick - other).std() == pytest.approx(10 * 2**0.5, rel=0.05)


@pytest.mark.parametrize("dataset", ["bicubic_x3", "thick_x2"])
def test_training_patches_show_the_same_place_at_both_resolutions(dataset):
    train = large_voxels.make(f"chest_ct/{dataset}", "smoke", 0).train
    batch = large_voxels.sample(train, "smoke", 4, seeded(3))
    side = large_voxels.SIZES["smoke"].patch
    assert batch["high_resolution"].shape == batch["interpolated"].shape == (4, 1, 12, side, side)
    enlarged = enlarge(batch["low_resolution"], train.facts.scale)
    for name, image in (("low_resolution", enlarged), ("interpolated", batch["interpolated"])):
        both = torch.stack([image.flatten(), batch["high_resolution"].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.9, name


def test_the_factors_are_mixed_within_a_training_batch(cases):
    batch = large_voxels.sample(cases.train, "smoke", 24, seeded(1))
    high, enlarged = batch["high_resolution"], batch["interpolated"]
    error = (enlarged - high).flatten(1).square().mean(1)
    assert (error.max() / error.clamp_min(1).min()) > 3


def test_scores_of_the_truth_and_of_a_blurred_one(cases):
    batch = cases.test.batch(slice(0, 2))
    perfect = large_voxels.score(batch["high_resolution"], batch, cases.facts)
    assert torch.isinf(perfect["psnr"]).all() and perfect["edge_distance"].abs().max() < 1e-6
    torch.testing.assert_close(perfect["edge_sharpness"], torch.ones(2))
    predicted = catalogue.build("bicubic").fresh(cases.facts).predict(batch)
    blurred = large_voxels.score(predicted, batch, cases.facts)
    assert (blurred["edge_sharpness"] < 0.95).all() and (blurred["ssim"] < perfect["ssim"]).all()


@pytest.mark.parametrize("dataset", ["bicubic_x3", "thick_x3"])
def test_pictures_are_what_they_say(dataset):
    test = large_voxels.make(f"chest_ct/{dataset}", "smoke", 0).test
    batch = test.batch(slice(0, 2))
    panels = large_voxels.pictures(batch["high_resolution"], batch, test.facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert len({panel.values.shape for panel in panels.values()}) == 1
    assert not panels["error"].values.any()
    coarse = panels["input"].values[0]
    assert torch.equal(coarse[:3, 0], coarse[:1, 0].expand(3))


def test_brains_are_split_by_donor_and_lie_on_the_common_scale():
    splits = large_voxels.make("brain_t1/kspace_x2", "smoke", 0)
    train, validation, test = (set(getattr(splits, part).subject) for part in PARTS)
    assert not (train & test or train & validation or validation & test)
    assert "MNI152" in test and "average" in splits.test.group[-1]
    high = splits.test["high_resolution"]
    assert high.min() >= -1000 and high.max() <= 1000 and high.std() > 200
    assert splits.test["low_resolution"].shape[-1] * 2 == high.shape[-1]
    assert not splits.facts.hounsfield
    panels = large_voxels.pictures(high, splits.test.tensors, splits.facts)
    assert panels["output"].unit == "a.u." and not panels["error"].values.any()
