"""Random changes of aligned pairs for training: both images alike, so that truth stays true."""

import torch
from torch import Tensor

from course_lib.physics import fields

BEND, SHIFT = 0.08, 0.04
"""How far changes go: the standard deviation of a random matrix, and of a shift as a share of the
side."""


def varied(fixed: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """The pairs (N, 1, *spatial) seen through random affine maps, half of them mirrored along the
    last axis, and half of them with fixed and moved exchanged."""
    seen, _ = _through_maps(torch.cat([fixed, moved], 1))
    one, other = seen[:, :1], seen[:, 1:]
    swap = (torch.rand(len(seen)) < 0.5).to(seen.device).view(-1, *[1] * (seen.ndim - 1))
    return torch.where(swap, other, one), torch.where(swap, one, other)


def varied_with(
    fixed: Tensor, moved: Tensor, displacement: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same of pairs with displacements (N, d, *spatial), which are turned with their images.
    Fixed and moved stay what they are."""
    seen, matrix = _through_maps(torch.cat([fixed, moved, displacement], 1))
    turned = torch.linalg.solve(matrix, seen[:, 2:].flatten(2))
    return seen[:, :1], seen[:, 1:2], turned.view_as(displacement)


def _through_maps(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images (N, C, *spatial) as random maps show them, and the maps' matrices (N, d, d)."""
    count, dims, shape = len(images), images.ndim - 2, images.shape[2:]
    side = images.new_tensor(shape)
    matrix = torch.eye(dims) + BEND * torch.randn(count, dims, dims)
    matrix[:, :, -1] *= torch.where(torch.rand(count, 1) < 0.5, -1.0, 1.0)
    matrix = matrix.to(images)
    shift = SHIFT * side * torch.randn(count, dims).to(images)
    centre = (side - 1) / 2
    grid = fields.voxel_grid(shape, images.device).flatten(1) - centre[:, None]
    places = matrix @ grid + (centre + shift)[..., None]
    return fields.look_up(images, places.view(count, dims, *shape)), matrix
