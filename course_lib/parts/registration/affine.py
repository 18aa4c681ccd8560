"""Affine maps between the two images of a pair: where registration starts.

A map is a matrix (d, d + 1) in voxels, axes in their order: x ↦ A x + t, so that moving(A x + t) is
about fixed(x). `moved` is the moving image seen through it; what is left between fixed and moved is
what a method has to find. Maps are searched for once, when the pairs are made, and kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from course_lib.data import derived
from course_lib.parts.registration import itk
from course_lib.parts.registration.fields import images, standardised
from course_lib.parts.registration.losses import mutual_information
from course_lib.physics import fields

STEPS, RATE, STRIDE, AT_ONCE = 100, 0.6, 2, 64


def found(fixed: Tensor, moving: Tensor, similarity: str) -> Tensor:
    """The maps (N, d, d + 1) of pairs (N, 1, *spatial) that a search finds.

    Arguments:
        similarity: `correlation`, by SimpleITK; or for images of two contrasts
            `mutual_information`, by `descent`: on a few thousand pixels SimpleITK's ends further
            from the truth, from where free form arrives worse than from nowhere.
    """
    if not len(fixed):
        return torch.zeros(0, fixed.ndim - 2, fixed.ndim - 1)
    known = hashlib.sha256(similarity.encode())
    for image in (fixed, moving):
        known.update(str(tuple(image.shape)).encode() + image.float().numpy().tobytes())

    def search() -> dict:
        one, other = standardised(fixed), standardised(moving)
        if similarity == "correlation":
            return {"maps": matrix(itk.affine(one, other)).numpy()}
        pieces = zip(one.split(AT_ONCE), other.split(AT_ONCE), strict=True)
        return {"maps": torch.cat([descent(*piece) for piece in pieces]).numpy()}

    kept = derived.kept(f"affine/{known.hexdigest()[:24]}", search, __name__)
    return torch.from_numpy(kept["maps"])


def descent(fixed: Tensor, moving: Tensor) -> Tensor:
    """The maps (N, d, d + 1) that gradient descent on mutual information finds for all pairs at
    once, by Adam on every second voxel along each axis."""
    dims, shape = fixed.ndim - 2, fixed.shape[2:]
    seen: Any = (..., *[slice(STRIDE // 2, None, STRIDE)] * dims)
    centre = (fixed.new_tensor(shape) - 1)[:, None] / 2
    grid = fields.voxel_grid(shape, fixed.device)[seen]
    places, wanted = grid.flatten(1) - centre, fixed[seen]
    change = fixed.new_zeros(len(fixed), dims, dims + 1)
    # A step of the matrix moves the borders about as far as one of the shift moves all.
    reach = torch.cat([1 / centre.expand(-1, dims), torch.ones_like(centre)], 1)
    with torch.enable_grad():
        change.requires_grad_()
        optimiser = torch.optim.Adam([change], lr=RATE)
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            bent = reach * change
            moved = places + centre + bent[..., :-1] @ places + bent[..., -1:]
            warped = fields.look_up(moving, moved.view(len(fixed), dims, *grid.shape[1:]))
            alike = mutual_information(wanted, warped).sum()
            (change.grad,) = torch.autograd.grad(-alike, [change])
            optimiser.step()
    bent = (reach * change).detach()
    linear = bent[..., :-1] + torch.eye(dims).to(bent)
    return torch.cat([linear, bent[..., -1:] + centre - linear @ centre], dim=-1)


def matrix(displacement: Tensor) -> Tensor:
    """The map (N, d, d + 1) of a displacement (N, d, *spatial) that is affine."""
    dims, shape = displacement.shape[1], displacement.shape[2:]
    corner = displacement.flatten(2)
    strides = displacement[0, 0].contiguous().stride()
    origin = corner[..., 0]
    ends = [corner[..., (size - 1) * stride] for size, stride in zip(shape, strides, strict=True)]
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
