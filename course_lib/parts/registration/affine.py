"""Affine maps between the two images of a pair: where registration starts.

A map is a matrix (d, d + 1) in voxels, axes in their order: x ↦ A x + t, so that moving(A x + t) is
about fixed(x). `moved` is the moving image seen through it; what is left between fixed and moved is
what a method has to find. Maps are searched for once, when the pairs are made, and kept.
"""

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from course_lib.data import derived
from course_lib.parts.registration import itk
from course_lib.parts.registration.fields import images, standardised
from course_lib.physics import fields


def found(fixed: Tensor, moving: Tensor, similarity: str) -> Tensor:
    """The maps (N, d, d + 1) of pairs (N, 1, *spatial) that SimpleITK finds.

    Arguments:
        similarity: `correlation`, or `mutual_information` for images of two contrasts.
    """
    if not len(fixed):
        return torch.zeros(0, fixed.ndim - 2, fixed.ndim - 1)
    known = hashlib.sha256(similarity.encode())
    for image in (fixed, moving):
        known.update(str(tuple(image.shape)).encode() + image.float().numpy().tobytes())

    def search() -> dict:
        one, other = standardised(fixed), standardised(moving)
        return {"maps": matrix(itk.affine(one, other, similarity)).numpy()}

    kept = derived.kept(f"affine/{known.hexdigest()[:24]}", search, __name__)
    return torch.from_numpy(kept["maps"])


def matrix(displacement: Tensor) -> Tensor:
    """The map (N, d, d + 1) of a displacement (N, d, *spatial) that is affine."""
    dims, shape = displacement.shape[1], displacement.shape[2:]
    origin = displacement[(..., *[0] * dims)]
    ends = [
        displacement[(..., *(-1 if k == axis else 0 for k in range(dims)))] for axis in range(dims)
    ]
    slopes = [(end - origin) / (size - 1) for end, size in zip(ends, shape, strict=True)]
    return torch.cat(
        [torch.stack(slopes, -1) + torch.eye(dims).to(origin), origin[..., None]], dim=-1
    )


def back(maps: Tensor) -> Tensor:
    """The maps of the way back, (N, d, d + 1)."""
    linear = torch.linalg.inv(maps[..., :-1])
    return torch.cat([linear, -linear @ maps[..., -1:]], dim=-1)


def after(maps: Tensor, displacement: Tensor) -> Tensor:
    """The displacement (N, d, *spatial) that goes first by `displacement`, then by the maps."""
    grid = fields.voxel_grid(displacement.shape[2:], displacement.device)
    places = (grid + displacement).flatten(2)
    moved = maps[..., :-1] @ places + maps[..., -1:]
    return moved.view_as(displacement) - grid


def displacement(maps: Tensor, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """The maps as displacements (N, d, *shape) in voxels."""
    still = maps.new_zeros(len(maps), len(shape), *shape)
    return after(maps, still)


def moved(moving: Tensor, maps: Tensor) -> Tensor:
    """The moving images (N, 1, *spatial) as the maps show them."""
    mode = "bicubic" if moving.ndim == 4 else "bilinear"
    return fields.warp(moving, displacement(maps, moving.shape[2:]), mode)


def whole(there: Tensor, home: Tensor, maps: Tensor) -> dict[str, Tensor]:
    """A method's answer from what it found between fixed and moved, (N, d, *spatial) voxels both
    ways: the maps come after it on the way there, and before it on the way back."""
    start = displacement(back(maps), home.shape[2:])
    return {"forward": after(maps, there), "backward": fields.compose(home, start)}


def both_ways(
    register: Callable[[Tensor, Tensor], Tensor], batch: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """`register(fixed, moved)` → (N, d, *spatial), and once more with exchanged parts; and with the
    pair's affine map."""
    fixed, moved = images(batch)
    return whole(register(fixed, moved), register(moved, fixed), batch["start"])
