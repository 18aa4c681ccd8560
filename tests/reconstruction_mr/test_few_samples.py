"""MR from few samples: who is tested, what is measured, how it is scored."""

import pytest
import torch

from course_lib.physics import mr
from course_lib.tasks.base import PARTS
from course_lib.tasks.reconstruction_mr import few_samples as task
from course_lib.tasks.reconstruction_mr import scans
from course_lib.tasks.reconstruction_mr.scans import FIELD_MM, SNR
from tests.reconstruction_mr.draws import batch_of, seeded


@pytest.fixture
def cases(splits):
    return splits("reconstruction_mr")


def test_each_donor_is_in_one_part_only(cases):
    train, validation, test = (set(getattr(cases, part).subject) for part in PARTS)
    assert not (train & test or train & validation or validation & test)
    assert test == {*task.TEST_DONORS, "MNI152"}
    groups = dict(zip(cases.test.subject, cases.test.group, strict=True))
    assert groups["MNI152"] == task.AVERAGE


@pytest.mark.parametrize("name", task.ACQUISITIONS)
def test_samples_are_those_of_the_mask_and_hold_the_stated_noise(name):
    splits = task.make(f"brain/{name}", "smoke", 0)
    test, (pattern, factor) = splits.test, task.parse(f"brain/{name}")
    assert (splits.facts.pattern, splits.facts.acceleration) == (pattern, factor)
    mask, target = test["mask"], test["target"]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert float(1 / mask.mean()) == pytest.approx(factor, rel=0.1)
    assert not (test["kspace"] * (1 - mask)).abs().any()
    error = (test["kspace"] - mr.forward(target, mask))[mask > 0]
    assert float(error.real.std()) == pytest.approx(1 / SNR, rel=0.05)
    assert torch.allclose(test["zero_filled"], mr.ifft2c(test["kspace"]), atol=1e-5)
    if name.startswith("cartesian"):  # whole lines: columns are all or nothing
        assert (mask.amax(2) == mask.amin(2)).all()


def test_the_target_has_a_phase_that_training_never_flattens(cases):
    batch = batch_of(cases, 4)
    for target in (batch["target"], cases.test["target"]):
        bright = target.abs() > 0.5 * target.abs().amax((2, 3), keepdim=True)
        assert target.imag[bright].abs().max() > 0.2
    assert not (batch["kspace"] * (1 - batch["mask"])).abs().any()


def test_every_training_batch_is_measured_anew(cases):
    one = task.sample(cases.train.subset([0]), "smoke", 2, seeded(0))
    assert not torch.equal(one["kspace"][0], one["kspace"][1])


def test_the_seed_decides_and_repeats():
    again, first, other = (task.make.__wrapped__("brain/radial_x6", "smoke", s) for s in (0, 0, 1))
    assert torch.equal(again.test["kspace"], first.test["kspace"])
    assert not torch.equal(other.test["kspace"], first.test["kspace"])


def test_pixels_have_the_size_of_the_field_that_was_scanned(cases):
    sizes = dict(zip(cases.test.subject, cases.test.spacing_mm[:, 0].tolist(), strict=True))
    assert sizes[task.TEST_DONORS[0]] == pytest.approx(FIELD_MM / 64)
    assert sizes["MNI152"] == pytest.approx(233 / 64)  # the average brain is longer than 224 mm


def test_scores_of_the_truth_and_of_a_known_error(cases):
    batch, facts = cases.test.tensors, cases.facts
    best = task.score(batch["target"], batch, facts)
    assert torch.isinf(best["psnr"]).all() and torch.allclose(best["ssim"], torch.ones(3))
    assert (best["nmse"] == 0).all() and (best["data_residual"] > 0).all()
    turned = batch["target"] * torch.polar(torch.tensor(1.0), torch.tensor(0.7))
    turned = task.score(turned, batch, facts)
    assert (turned["nmse"] < 1e-10).all(), "magnitudes are scored"
    assert (turned["data_residual"] > 50).all(), "the data know the phase"
    darker = task.score(0.9 * batch["target"], batch, facts)
    assert torch.allclose(darker["nmse"], torch.tensor(0.01))


def test_pictures_are_magnitudes_and_their_difference(cases):
    batch = cases.test.tensors
    panels = task.pictures(batch["zero_filled"], batch, cases.facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["input"].values, panels["output"].values)
    error = panels["output"].values - panels["truth"].values
    assert torch.equal(panels["error"].values, error)


def test_training_pictures_vary_in_size_sharpness_and_brightness_and_half_are_as_they_were(cases):
    target = cases.train["target"][:1].expand(64, 1, 64, 64)
    varied = scans.varied(target, torch.Generator().manual_seed(0))
    assert varied.shape == target.shape and varied.dtype == target.dtype
    same = [any(torch.equal(one, x[0]) for x in (target, target.flip(3))) for one in varied]
    assert 20 < sum(same) < 44
    changed = varied[[k for k, one in enumerate(same) if not one]]
    assert changed.abs().amax((1, 2, 3)).max() < 1.8 * target.abs().max()
    brightness = changed.abs().mean((1, 2, 3)) / target.abs().mean()
    assert brightness.max() > 2 * brightness.min()
    contrast = changed.abs().amax((1, 2, 3)) / changed.abs().mean((1, 2, 3))
    assert contrast.max() > 1.5 * contrast.min()
    again = scans.varied(target, torch.Generator().manual_seed(0))
    assert torch.equal(varied, again)
