"""Planes of a block."""

import pytest
import torch

from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from tests.super_resolution.example import IN_PLANE, THROUGH, seeded


@pytest.mark.parametrize(("scale", "shape"), [(IN_PLANE, (8, 1, 5, 6)), (THROUGH, (10, 1, 4, 6))])
def test_planes_hold_the_axes_that_lost_detail(scale, shape):
    volume = torch.randn(2, 1, 4, 5, 6, generator=seeded())
    planes = to_planes(volume, scale)
    assert planes.shape == shape
    assert torch.equal(from_planes(planes, 2, scale), volume)
    assert plane_factors(scale) == ((3, 3) if scale == IN_PLANE else (3, 1))
