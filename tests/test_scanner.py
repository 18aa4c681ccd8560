"""The scanner that methods share."""

import pytest
import torch

from course_lib.parts.hounsfield import relative_attenuation
from course_lib.parts.scanner import scanner
from course_lib.physics import ct


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


@pytest.mark.parametrize("complete", [False, True])
def test_the_scaled_scanner_has_norm_one_and_an_exact_adjoint(cases, complete):
    scan = scanner(cases.facts, complete=complete)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 64, 64, generator=generator)
    y = torch.randn(scan(x).shape, generator=generator)
    assert float((scan(x) * y).sum()) == pytest.approx(float((x * scan.adjoint(y)).sum()), rel=1e-3)
    for _ in range(30):
        x = scan.adjoint(scan(x / x.norm()))
    assert float(x.norm()) == pytest.approx(1, abs=0.01)


def test_the_scanner_measures_relative_attenuation(cases):
    batch = cases.test.batch(slice(0, 1))
    scan, hu = scanner(cases.facts), batch["target"]
    direct = scan.beam(ct.hu_to_attenuation(hu))
    assert torch.allclose(scan(relative_attenuation(hu)), scan.data(direct), atol=1e-4)


def test_one_geometry_has_one_scanner_and_knows_which_views_it_takes(cases):
    few, all_views = scanner(cases.facts), scanner(cases.facts, complete=True)
    assert few is scanner(cases.facts) and few is not all_views
    assert few.beam.angles.tolist() == [6.0 * view for view in range(30)]
    assert all_views.beam.angles.tolist() == list(cases.facts.angles)
    assert few.beam.size == cases.facts.size == cases.test["fbp"].shape[-1]
    assert few.beam.pixel_mm == cases.facts.pixel_mm
