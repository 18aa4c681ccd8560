"""Random changes of aligned pairs for training: both images alike, so that truth stays true."""

import torch
from torch import Tensor

from course_lib.physics import fields

BEND, SHIFT = 0.08, 0.04
"""How far changes go: the standard deviation of a random matrix, and of a shift as a share of the
side."""


def varied(
    fixed: Tensor, moved: Tensor, displacement: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The pairs (N, 1, *spatial) seen through random affine maps, half of them mirrored along the
    last axis; and displacements (N, d, *spatial) that fit the images, turned with them. Without
    displacements, fixed and moved change places in half of the pairs.
    """
    count, dims, shape = len(fixed), fixed.ndim - 2, fixed.shape[2:]
    side = fixed.new_tensor(shape)
    matrix = torch.eye(dims) + BEND * torch.randn(count, dims, dims)
    matrix[:, :, -1] *= torch.where(torch.rand(count, 1) < 0.5, -1.0, 1.0)
    matrix = matrix.to(fixed)
    shift = SHIFT * side * torch.randn(count, dims).to(fixed)
    centre = (side - 1) / 2
    grid = fields.voxel_grid(shape, fixed.device).flatten(1) - centre[:, None]
    places = matrix @ grid + (centre + shift)[..., None]
    images = [fixed, moved] if displacement is None else [fixed, moved, displacement]
    seen = fields.look_up(torch.cat(images, 1), places.view(count, dims, *shape))
    one, other, rest = seen[:, :1], seen[:, 1:2], seen[:, 2:]
    if displacement is None:
        swap = (torch.rand(count) < 0.5).to(fixed.device).view(-1, *[1] * (dims + 1))
        return torch.where(swap, other, one), torch.where(swap, one, other), None
    turned = torch.linalg.solve(matrix, rest.flatten(2))
    return one, other, turned.view_as(rest)
