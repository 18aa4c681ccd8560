"""Losses of registration: known fields, likeness."""

import pytest
import torch

from course_lib.parts.registration import losses
from course_lib.physics import fields


def smooth_field(size=32, dims=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return fields.random_velocity((size,) * dims, 2, 6.0, 1.5, generator)


def test_smoothness_bending_and_folding_of_known_fields():
    grid = fields.voxel_grid((12, 12))[None]
    stretched = 0.5 * grid
    assert losses.smoothness(stretched) == pytest.approx(0.125, rel=1e-5)  # half of the slopes
    assert losses.bending_energy(stretched) < 1e-8
    bent = torch.stack([grid[:, 0] ** 2, torch.zeros(1, 12, 12)], 1)
    assert losses.bending_energy(bent) == pytest.approx(4 / 2, rel=1e-4)  # 2² in one channel of two
    for slope in (-0.99, -0.5, 0.0, 2.0):
        assert losses.anti_fold(slope * grid) == 0
    assert losses.anti_fold(-1.5 * grid) == pytest.approx(2 * 0.5 * 2.25, rel=1e-4)


def test_inverse_inconsistency_compares_with_the_warped_negative():
    u, v = smooth_field(seed=1)[:1], smooth_field(seed=2)[:1]
    by_hand = (u - fields.warp(-v, u)).square().mean()
    assert torch.allclose(losses.inverse_inconsistency(u, v), by_hand)
    shift = torch.full((1, 2, 9, 9), 2.0)
    assert losses.inverse_inconsistency(shift, -shift) < 1e-10


def test_similarities_know_what_is_alike():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 1, 32, 32, generator=generator)
    other = torch.randn(2, 1, 32, 32, generator=generator)
    assert (losses.local_ncc(image, 3 - 2 * image) > 0.97).all()
    assert (losses.local_ncc(image, other) < 0.1).all()
    folded = (image.abs() - 0.7).abs()  # predictable, not correlated
    unrelated = losses.mutual_information(image, other)
    assert (losses.mutual_information(image, folded) > 2 * unrelated).all()
