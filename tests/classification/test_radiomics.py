"""Radiomic features: what is known of a disc, and of two outlines."""

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.parts.classification import radiomics
from tests.classification.example import WINDOW, disc


def measured(radius, mm=0.5):
    row = radiomics.radiomics(*disc(radius), WINDOW, mm)[0]
    return dict(zip(radiomics.FEATURES, row.tolist(), strict=True))


def test_radiomic_features_of_a_disc_are_known_and_in_their_units():
    found = measured(12)
    assert found["area"] == pytest.approx(np.pi * 6**2, rel=0.05)
    for name in ("equivalent_diameter", "longest_diameter"):
        assert found[name] == pytest.approx(12, rel=0.06)
    assert found["perimeter"] == pytest.approx(np.pi * 12, rel=0.06)
    assert found["circularity"] == pytest.approx(1, abs=0.12)
    assert found["mean"] == 100 and found["spread"] == 0 and found["entropy"] == 0
    assert found["rim_contrast"] == pytest.approx(900)
    assert found["glcm_contrast"] == 0 and found["glcm_homogeneity"] == pytest.approx(1)
    assert set(radiomics.FEATURES.values()) >= {"mm", "mm²", "grey", "grey/mm", ""}


def test_shape_follows_the_pixel_size_and_texture_does_not():
    small, large = measured(10), measured(10, mm=1.0)
    assert large["area"] == pytest.approx(4 * small["area"])
    assert large["glcm_contrast"] == small["glcm_contrast"]


def test_intraclass_correlation_against_its_definition():
    """Shrout and Fleiss's own example (their Table 2), readers 1 and 4: by analysis of variance."""
    first = torch.tensor([9.0, 6, 8, 7, 10, 6])[:, None]
    assert float(radiomics.agreement(first, first)) == pytest.approx(1)
    shifted = radiomics.agreement(first, first + 2)
    row = 2 * float(first.var())
    assert float(shifted) == pytest.approx(row / (row + 2 * 12 / 6))
    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    other = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1))
    assert abs(float(radiomics.agreement(noise, other))) < 0.05


def test_another_outline_differs_a_little(cases):
    mask = cases.train["mask"]
    other = radiomics.another_outline(mask, torch.Generator().manual_seed(0))
    overlap = ((mask > 0) & (other > 0)).sum() / ((mask > 0) | (other > 0)).sum()
    assert 0.6 < float(overlap) < 0.99


def test_the_threshold_outline_finds_the_nodule_unless_it_touches():
    image, mask = disc(12)
    drawn = radiomics.threshold_outline(image, WINDOW)
    assert ((drawn > 0) == (mask > 0)).float().mean() > 0.995
    image[..., 50:] = 100.0  # a wall far from the middle
    assert (radiomics.threshold_outline(image, WINDOW)[..., 50:] == 0).all()
    with pytest.raises(CourseError, match="volumes"):
        radiomics.threshold_outline(torch.zeros(1, 1, 4, 4, 4), WINDOW)
