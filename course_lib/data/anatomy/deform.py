"""Random deformations with their inverses, and what moves with them: pixels and landmarks."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.data.anatomy.template import CENTRE_MM, Template
from course_lib.data.anatomy.tissues import labels
from course_lib.physics import fields

LANDMARKS = 16
ELASTIC_MM = ((34.0, 4.0), (10.0, 1.0))
"""Smoothness and strength of the random velocities, both as standard deviations in mm."""


def deform(
    shape: tuple[int, ...], pixel: float, strength: float, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Random displacement and its inverse, (B, d, *shape) in voxels.

    The velocity lives on a grid of half the resolution, which it does not need.
    """
    dims = len(shape)
    half = [size // 2 for size in shape]
    velocity = torch.cat(
        [
            sum(
                fields.random_velocity(
                    half, 1, smoothness / (2 * pixel), strength * size / (2 * pixel), generator
                )
                for smoothness, size in ELASTIC_MM
            )
            for generator in generators
        ]
    )
    mode = "bilinear" if dims == 2 else "trilinear"
    elastic, back = (
        2 * F.interpolate(fields.exponential(v, 5), shape, mode=mode, align_corners=False)
        for v in (velocity, -velocity)
    )
    matrix, shift = _affine(dims, pixel, strength, generators)
    grid = fields.voxel_grid(shape)
    column = (slice(None), slice(None)) + (None,) * dims
    centre = torch.tensor([(size - 1) / 2 for size in shape])[(None, slice(None), *column[2:])]
    moved = grid + elastic - centre
    displacement = torch.einsum("nij,nj...->ni...", matrix, moved) + shift[column] + centre - grid
    undone = torch.einsum(
        "nij,nj...->ni...", torch.linalg.inv(matrix), (grid - centre - shift[column])
    )
    positions = undone + centre
    inverse = positions + fields.look_up(back, positions) - grid
    return displacement, inverse


def _affine(
    dims: int, pixel: float, strength: float, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Random matrices (B, d, d), the exponential of a small one, and shifts (B, d) in voxels."""
    count = dims * dims + dims
    drawn = strength * torch.stack([torch.randn(count, generator=g) for g in generators])
    free = drawn[:, : dims * dims].view(-1, dims, dims)
    turn, stretch = (free - free.mT) / 2, (free + free.mT) / 2
    return torch.matrix_exp(0.06 * turn + 0.035 * stretch), 2.0 / pixel * drawn[:, dims * dims :]


@lru_cache(maxsize=1024)
def landmarks(
    piece: Template, shape: tuple[int, ...], pixel: float, region: str, rim: bool = False
) -> Tensor:
    """Points on borders between tissues, far from one another, (16, d) in pixels of the template.

    In a head they lie in the brain itself, its surface included; with `rim` on skull, marrow,
    muscle, fat and skin, which are told apart easily and move on their own. In a chest they lie in
    all but the background, the lung, and fat. Without such a border in the field of view, the
    middle is the only landmark, and of the rim there is none: nan.
    """
    numbers = labels(region)
    if region == "brain":
        brain = piece.tissue > numbers["csf"]
        soft = (piece.tissue > 0) & (piece.tissue < numbers["csf"]) if rim else brain
    else:
        soft = piece.tissue > numbers["fat"]
    border = np.zeros_like(soft)
    for axis in range(soft.ndim):
        change = np.diff(piece.tissue.astype(np.int16), axis=axis) != 0
        inside = [slice(None)] * soft.ndim
        inside[axis] = slice(1, None)
        border[tuple(inside)] |= change & soft[tuple(inside)]
    found = np.argwhere(border)
    found = found[:: max(1, len(found) // 4000)]
    mm = found * np.array(piece.spacing_mm) + np.array(piece.first_mm)
    centre = np.array(CENTRE_MM[region][-len(shape) :])
    middle = (np.array(shape) - 1) / 2
    points = (mm - centre) / pixel + middle
    points = points[(np.abs(points - middle) < 0.42 * np.array(shape)).all(1)]
    if not len(points):  # a field of view within one tissue
        if rim:
            return torch.full((LANDMARKS, len(shape)), torch.nan)
        points = middle[None]
    chosen = [int(np.argmin(((points - middle) ** 2).sum(1)))]
    distance = np.full(len(points), np.inf)
    for _ in range(LANDMARKS - 1):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(distance.argmax()))
    return torch.tensor(points[chosen], dtype=torch.float32)


def carry(points: Tensor, displacement: Tensor, inverse: Tensor) -> Tensor:
    """Template points into the case: the q with q + u(q) = p, exact for the sampled field.

    The inverse field gives a first guess and, as an approximate solution operator, every
    correction.
    """
    found = fields.move_points(points, inverse)
    for _ in range(5):
        reached = fields.move_points(found, displacement)
        found = found + fields.move_points(points, inverse) - fields.move_points(reached, inverse)
    return found


class Sampler:
    """Looks templates up at positions given in pixels of the image."""

    def __init__(self, pieces: Sequence[Template], shape: Sequence[int], pixel: float, region: str):
        self.pieces, self.shape = pieces, shape
        first = np.array([piece.first_mm for piece in pieces])
        spacing = np.array([piece.spacing_mm for piece in pieces])
        centre = np.array(CENTRE_MM[region][-len(shape) :])
        corner = centre - (np.array(shape) - 1) / 2 * pixel
        # In grid_sample's units, −1 and 1 are the outer edges of a template, whatever the
        # resolution of its parts.
        extent = np.array(pieces[0].tissue.shape) * spacing / 2
        self.scale = torch.tensor(pixel / extent, dtype=torch.float32)
        self.offset = torch.tensor((corner - first + spacing / 2) / extent - 1, dtype=torch.float32)

    def grid(self, displacement: Tensor, factor: int) -> Tensor:
        """Where the centres of a `factor` times finer grid look, (B, *fine, d), x first."""
        dims = len(self.shape)
        fine = [factor * size for size in self.shape]
        if factor > 1:
            mode = "bilinear" if dims == 2 else "trilinear"
            displacement = F.interpolate(displacement, fine, mode=mode, align_corners=False)
        grid = displacement.new_empty((len(displacement), *fine, dims))
        for axis, size in enumerate(fine):
            line = (torch.arange(size, dtype=torch.float32) + 0.5) / factor - 0.5
            line = line.view(-1, *[1] * (dims - 1 - axis))
            column = (slice(None), axis, *[None] * dims)
            scale, offset = self.scale[column], self.offset[column]
            torch.add(
                displacement[:, axis] * scale, line * scale + offset, out=grid[..., -1 - axis]
            )
        return grid

    def take(self, images: Sequence[np.ndarray], grid: Tensor, outside: float = 0.0) -> Tensor:
        """Linear values of one image per template, (B, *spatial), `outside` beyond its edge."""
        stack = torch.from_numpy(np.stack(images)).float()[:, None]
        if outside:
            stack = stack - outside
        found = F.grid_sample(stack, grid, mode="bilinear", align_corners=False)[:, 0]
        return found + outside if outside else found

    def tissue(self, grid: Tensor) -> Tensor:
        """Tissue numbers (B, *spatial) as float32; 0 beyond the template's edge."""
        stack = torch.from_numpy(np.stack([piece.tissue for piece in self.pieces])).float()
        return F.grid_sample(stack[:, None], grid, mode="nearest", align_corners=False)[:, 0]
