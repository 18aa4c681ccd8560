"""How detail is lost."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.physics import degradation
from tests.super_resolution.example import IN_PLANE, THROUGH, seeded


@pytest.mark.parametrize("kind", degradation.KINDS)
@pytest.mark.parametrize("scale", [(1, 2, 2), IN_PLANE, THROUGH, (2, 3, 4), (6, 1, 1)])
def test_degradations_keep_constants_and_have_the_stated_size(kind, scale):
    low = degradation.degrade(torch.full((2, 1, 12, 24, 12), 40.0), kind, scale)
    expected = [side // factor for side, factor in zip((12, 24, 12), scale, strict=True)]
    assert list(low.shape[2:]) == expected
    torch.testing.assert_close(low, torch.full_like(low, 40.0))


@pytest.mark.parametrize("kind", degradation.KINDS)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_no_degradation_shifts_the_image(kind, factor):
    place = torch.arange(48.0)
    bump = torch.exp(-((place - 20.3) ** 2) / (2 * 5**2)).view(1, 1, 1, 1, 48)
    low = degradation.degrade(bump, kind, (1, 1, factor)).flatten()
    centres = factor * torch.arange(48 // factor) + (factor - 1) / 2
    assert (low * centres).sum() / low.sum() == pytest.approx(20.3, abs=0.05)


def test_truncated_kspace_keeps_low_frequencies_exactly_and_drops_high_ones():
    place = torch.arange(24.0)
    waves = torch.stack([torch.cos(2 * torch.pi * k * place / 24 + 0.4) for k in (2, 7)])
    low = degradation.degrade(waves.view(1, 2, 1, 1, 24), "kspace", (1, 1, 3))[0, :, 0, 0]
    centres = 3 * torch.arange(8.0) + 1
    torch.testing.assert_close(low[0], torch.cos(2 * torch.pi * 2 * centres / 24 + 0.4))
    assert low[1].abs().max() < 1e-5


def test_truncated_kspace_rings_at_an_edge_and_blur_does_not():
    edge = torch.where(torch.arange(48) < 23, 0.0, 1.0).view(1, 1, 1, 1, 48)
    low = {k: degradation.degrade(edge, k, (1, 1, 3)).flatten()[3:-3] for k in degradation.KINDS}
    assert low["kspace"].max() > 1.04 and low["blur"].max() < 1.0001


def test_what_does_not_fit_is_refused():
    with pytest.raises(CourseError, match="bicubic, blur, kspace, thick"):
        degradation.degrade(torch.zeros(1, 1, 2, 2, 2), "nearest", (1, 1, 1))
    with pytest.raises(CourseError, match="multiples"):
        degradation.degrade(torch.zeros(1, 1, 4, 9, 10), "blur", IN_PLANE)


def test_noise_has_its_standard_deviation_and_its_seed():
    flat = torch.zeros(1, 1, 12, 96, 96)
    one, again, other = (
        degradation.degrade(flat, "blur", THROUGH, 10.0, seeded(s)) for s in (0, 0, 1)
    )
    assert one.std() == pytest.approx(10, rel=0.02)
    assert torch.equal(one, again) and not torch.equal(one, other)
