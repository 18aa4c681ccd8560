"""Denoising of low-dose CT: who is tested, what the scans contain."""

import pytest
import torch
from torch import nn

from course_lib.tasks import ct_scans
from course_lib.tasks.denoising import low_dose as denoising


@pytest.fixture
def cases(splits):
    return splits("denoising")


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    others = [i for i, g in enumerate(cases.test.group) if g == ct_scans.OTHER_PATIENTS]
    assert len({cases.test.subject[i] for i in others}) == 4
    assert not known & {cases.test.subject[i] for i in others}
    again = [g for g, s in zip(cases.test.group, cases.test.subject, strict=True) if s in known]
    assert set(again) == {ct_scans.SAME_PATIENT}


@pytest.mark.parametrize("profile", denoising.SIZES)
def test_blocks_of_the_training_patient_lie_a_centimetre_apart(profile):
    size = denoising.SIZES[profile]
    used = [
        set(ct_scans.training_slices(size.every)),
        set(ct_scans.spread(*ct_scans.VALIDATION_BLOCK, size.validation_slices)),
        set(ct_scans.middle(*ct_scans.TEST_BLOCK, size.block_slices)),
    ]
    for i, first in enumerate(used):
        for second in used[i + 1 :]:
            assert min(abs(a - b) for a in first for b in second) * 2.5 >= 10


def test_the_seed_decides_the_noise_and_nothing_else(cases):
    again, other = (denoising.make("chest_ct", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.train["low_dose"], cases.train["low_dose"])
    assert not torch.equal(other.train["low_dose"], cases.train["low_dose"])
    assert other.train.case == cases.train.case
    assert set(other.test.group) == {ct_scans.SAME_PATIENT}  # without lung_tumours


def test_parts_do_not_share_their_noise(cases):
    noise = [(p["low_dose"] - p["normal_dose"])[0] for p in (cases.train, cases.validation)]
    assert not torch.equal(*noise)


def test_training_and_validation_show_crops_in_the_made_up_chest_as_tests_do(cases):
    for part, copies in ((cases.train, 2), (cases.validation, 1)):
        whole = len(part) // (1 + copies)
        cropped = part.case[whole:]
        assert [name.rpartition("/crop")[0] for name in cropped] == copies * part.case[:whole]
        sides = part["region"][whole:, 2:] - part["region"][whole:, :2]
        assert sides.max() <= 0.6 * 64 < (part["region"][0, 2:] - part["region"][0, :2]).min()
        for crop, (_, left, _, right) in zip(
            part["normal_dose"][whole:, 0], part["region"][whole:].tolist(), strict=True
        ):
            around = torch.cat([crop[32, 14 : left - 2], crop[32, right + 2 : 50]])
            assert len(around) == 0 or abs(float(around.median()) + 500) < 60
    assert not any("/crop" in name for name in cases.test.case)


def test_less_dose_is_more_noise_and_the_same_patient(cases):
    difference = cases.test["low_dose"] - cases.test["normal_dose"]
    top, left, bottom, right = cases.test["region"][0].tolist()
    inside = difference[0, 0, top:bottom, left:right]
    assert inside.std() > 15
    assert inside.mean().abs() < 0.2 * inside.std()


def test_exposure_control_lets_the_same_photons_arrive():
    thin, thick = (torch.rand(1, 1, 30, 40) * p for p in (2.0, 6.0))
    sinograms = torch.cat([thin, thick])
    sent = ct_scans.exposure(sinograms, 500.0)
    arriving = (sent * torch.exp(-sinograms)).flatten(1).quantile(0.05, dim=1)
    assert arriving.tolist() == pytest.approx([500, 500], rel=0.02)
    assert sent[1] > 10 * sent[0]


def test_only_the_scored_region_counts(cases):
    batch, facts = cases.test.batch(slice(0, 2)), cases.facts
    target = batch["normal_dose"]
    perfect = denoising.score(target, batch, facts)
    assert torch.isinf(perfect["psnr"]).all()
    texture = perfect["nps_distance"]  # undefined where such small images show no flat tissue
    assert texture[0].abs() < 1e-3 and torch.nan_to_num(texture).abs().max() < 1e-3
    spoiled = torch.full_like(target, 500.0)
    for case, (top, left, bottom, right) in enumerate(batch["region"].tolist()):
        spoiled[case, :, top:bottom, left:right] = target[case, :, top:bottom, left:right]
    assert torch.isinf(denoising.score(spoiled, batch, facts)["psnr"]).all()
    assert torch.equal(denoising.score(spoiled, batch, facts)["ssim"], perfect["ssim"])


def test_training_patches_are_turned_together(cases):
    batch = denoising.sample(cases.train, "smoke", 6, torch.Generator().manual_seed(0))
    assert batch["low_dose"].shape == batch["normal_dose"].shape == (6, 1, 32, 32)
    smooth = nn.functional.avg_pool2d(torch.cat(list(batch.values()), 1), 8).flatten(2)
    for low, normal in smooth:
        if normal.std() > 100:  # a patch with anatomy in it
            assert torch.corrcoef(torch.stack([low, normal]))[0, 1] > 0.9


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 3))
    panels = denoising.pictures(batch["low_dose"], batch, cases.facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["input"].values, panels["output"].values)
    error = panels["output"].values - panels["truth"].values
    assert torch.equal(panels["error"].values, error)
