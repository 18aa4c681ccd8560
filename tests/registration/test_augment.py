"""Random changes of aligned pairs."""

import torch

from course_lib import device
from course_lib.parts.registration.augment import varied, varied_with
from course_lib.physics import fields


def smooth(count=6, size=32):
    generator = torch.Generator().manual_seed(0)
    image = fields.random_velocity((size, size), count, 3.0, 1.0, generator)[:, :1]
    field = fields.random_velocity((size, size), count, 6.0, 1.5, generator)
    return fields.warp(image, field), image, field


def test_a_changed_displacement_still_fits_its_changed_pair():
    fixed, moved, field = smooth()
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    with device.seeded(0):
        one, other, turned = varied_with(fixed, moved, field)
    assert not torch.allclose(one, fixed, atol=0.1)
    right, unchanged = ((fields.warp(other, u) - one)[inner].abs().mean() for u in (turned, field))
    assert right < 0.05 and right < 0.3 * unchanged


def test_pairs_change_places_only_where_no_displacement_is_given():
    fixed, moved, field = smooth(40)
    fixed, moved = torch.zeros_like(fixed), torch.ones_like(moved)
    with device.seeded(0):
        one, other = varied(fixed, moved)
        kept, _, _ = varied_with(fixed, moved, field)
    exchanged = one.flatten(1).mean(1)
    assert 0.2 < float(exchanged.mean()) < 0.8
    assert torch.allclose(other, 1 - one, atol=1e-5)
    assert torch.equal(kept, fixed)
