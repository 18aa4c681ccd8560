"""Free-form deformation."""

import pytest
import torch

from course_lib.parts.registration import free_form
from course_lib.physics import fields


@pytest.mark.parametrize("dims", [2, 3])
def test_b_splines_reproduce_straight_lines(dims):
    size, spacing = 17, 5.0
    bases = [free_form.basis(size, spacing)] * dims
    assert torch.allclose(bases[0].sum(1), torch.ones(size), atol=1e-5)
    points = (torch.arange(bases[0].shape[1]) - 1) * spacing
    one = torch.zeros(1, dims, *[len(points)] * dims)
    one[:, 0] = points.view(-1, *[1] * (dims - 1))
    wanted = fields.voxel_grid((size,) * dims)[None, :1]
    assert torch.allclose(free_form.free_form(one, bases)[:, :1], wanted, atol=1e-4)
