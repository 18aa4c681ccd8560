"""CT from few views: who is tested, what the scans contain."""

import pytest
import torch

from course_lib import catalogue
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.scanner import scanner
from course_lib.physics import ct
from course_lib.tasks import ct_scans
from course_lib.tasks.reconstruction_ct import few_views
from tests.reconstruction_ct.example import phantom


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


@pytest.fixture
def limited():
    return few_views.make("chest_ct/120_degrees", "smoke", 0)


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    others = [
        s
        for s, g in zip(cases.test.subject, cases.test.group, strict=True)
        if g == ct_scans.OTHER_PATIENTS
    ]
    assert len(set(others)) == 4 and not known & set(others)
    again = [g for g, s in zip(cases.test.group, cases.test.subject, strict=True) if s in known]
    assert set(again) == {ct_scans.SAME_PATIENT}


def test_the_seed_decides_the_noise_and_nothing_else(cases):
    # Held in names of their own: `make` keeps the latest cases only.
    again, other = (
        few_views.make("chest_ct+lung_tumours/30_views", "smoke", seed) for seed in (0, 1)
    )
    assert torch.equal(again.train["sinogram"], cases.train["sinogram"])
    assert not torch.equal(other.train["sinogram"], cases.train["sinogram"])
    assert torch.equal(other.test["target"], cases.test["target"])
    assert other.test.case == cases.test.case


@pytest.mark.parametrize(
    ("name", "views", "arc"),
    [("30_views", 30, 174), ("60_views", 60, 177), ("15_views", 15, 168), ("120_degrees", 80, 118)],
)
def test_data_sets_are_named_after_what_is_measured(name, views, arc):
    assert f"chest_ct/{name}" in few_views.QUESTION.sources
    facts = few_views.facts_of(64, few_views.ACQUISITIONS[name])
    degrees = [angle for angle, taken in zip(facts.angles, facts.measured, strict=True) if taken]
    assert len(degrees) == views and int(max(degrees) - min(degrees)) == arc
    assert len(facts.angles) == few_views.VIEWS and facts.angles[1] == 1.5


def test_sinogram_holds_measured_views_only(cases, limited):
    for part in (cases.test, limited.test):
        assert part["sinogram"].shape[2] == sum(part.facts.measured)
    steps = torch.tensor(limited.facts.measured).float().diff()
    assert steps.abs().sum() == 1  # one arc


def test_noise_is_that_of_the_counted_photons(cases):
    batch = cases.test.batch(slice(0, 2))
    scan = scanner(cases.facts)
    clean = scan(relative_attenuation(batch["target"])) * ct.MU_WATER * scan.norm
    noise = (batch["sinogram"] - clean).flatten()
    thick = clean.flatten() > clean.quantile(0.9)
    assert noise[thick].std() > 0.5 / few_views.PHOTONS**0.5
    assert noise.mean().abs() < 0.05


def test_no_image_on_the_grid_explains_noiseless_data_exactly():
    """No inverse crime: the scan comes from a finer grid than the one of the target."""
    fine = hounsfield(phantom(64))
    region = torch.tensor([[0, 0, 64, 64]])
    scan_of = few_views._scan(
        fine, region, slice(0, 120, 4), torch.Generator().manual_seed(0), ["a"], "a", "test"
    )
    scan = scanner(scan_of.facts)
    residual = scan(relative_attenuation(scan_of["target"])) - scan.data(scan_of["sinogram"])
    assert 0.001 < residual.norm() / scan.data(scan_of["sinogram"]).norm() < 0.05


def test_the_sinogram_lies_where_the_image_is(cases):
    """Detector pairs of the fine scanner are the coarse scanner's detectors: FBP is not shifted."""
    batch = cases.test.batch(slice(0, 2))
    error = []
    for shift in (-1, 0, 1):
        moved = torch.roll(batch["fbp"], shift, dims=-1)
        error.append(float((moved - batch["target"]).square().mean()))
    assert error[1] == min(error)


def test_validation_shows_each_slice_as_it_is_and_as_a_crop_in_the_made_up_chest(cases):
    whole, crop = cases.validation.case
    assert crop == f"{whole}/copy1"
    (top, left, bottom, right), size = cases.validation["region"][1].tolist(), 64
    assert 22 <= bottom - top <= 36 and 22 <= right - left <= 36  # 134 to 200 mm
    around = cases.validation["target"][1, 0, size // 2, [left - 3, right + 2]]
    assert ((around + 500).abs() < 1).all()


def test_perfect_and_spoiled_predictions(cases):
    batch = cases.test.batch(slice(0, 2))
    perfect = few_views.score(batch["target"], batch, cases.facts)
    assert torch.isinf(perfect["psnr"]).all() and (perfect["data_residual"] < 3).all()
    spoiled = few_views.score(batch["target"] + 100, batch, cases.facts)
    assert (spoiled["psnr"] < 30).all()
    assert (spoiled["data_residual"] > 2 * perfect["data_residual"]).all()


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 3))
    panels = few_views.pictures(batch["fbp"], batch, cases.facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["input"].values, panels["output"].values)
    assert torch.equal(panels["error"].values, panels["output"].values - panels["truth"].values)


def test_learned_reconstructions_are_listed_with_their_reference():
    refs = {e.id: e.ref for e in catalogue.methods("reconstruction_ct") if not e.baseline}
    assert refs == {"fbp_conv_net": None, "learned_primal_dual": 20, "jsr_net": 22}
