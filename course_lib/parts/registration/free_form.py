"""Free-form deformation: a field from few control points, found by gradient descent for each pair.

    u(x) = Σ_k c_k β³(x / s - k)     cubic B-splines on control points s voxels apart

Several lattices are added, coarse ones first, as pyramids do: a coarse one cannot get stuck in
detail. Rueckert et al. 1999, IEEE TMI 18(8), doi 10.1109/42.796284.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.parts.registration import affine
from course_lib.parts.registration.fields import standardised
from course_lib.parts.registration.losses import bending_energy
from course_lib.physics import fields


def basis(size: int, spacing: float, device: torch.device | str = "cpu") -> Tensor:
    """Values of every control point's cubic B-spline at every voxel of an axis, (size, points)."""
    points = math.ceil((size - 1) / spacing) + 3
    voxel = torch.arange(size, device=device)[:, None] / spacing
    away = (voxel - torch.arange(-1, points - 1, device=device)).abs()
    near = 2 / 3 - away.square() + away**3 / 2
    far = (2 - away).clamp_min(0) ** 3 / 6
    return torch.where(away < 1, near, far)


def free_form(coefficients: Tensor, bases: Sequence[Tensor]) -> Tensor:
    """The field (N, d, *spatial) of control points (N, d, *points), one basis per axis."""
    result = coefficients
    for axis, values in enumerate(bases):
        result = torch.movedim(torch.movedim(result, axis + 2, -1) @ values.mT, -1, axis + 2)
    return result


Dissimilarity = Callable[[Tensor, Tensor], Tensor]


def both_ways(
    there: Dissimilarity, home: Dissimilarity, batch: Mapping[str, Tensor], **settings: Any
) -> dict[str, Tensor]:
    """The fields of both directions, each from the pair's affine map on. They are added to it, not
    put after it: so the moving image is looked up once, not twice.

    Arguments:
        there, home: (still, warped) → (N,), where `moving` is warped and where `fixed` is.
        settings: as of `register`.
    """
    fixed, moving = standardised(batch["fixed"]), standardised(batch["moving"])
    maps, shape = batch["start"], fixed.shape[2:]
    starts = (affine.displacement(each, shape) for each in (maps, affine.back(maps)))
    forward, backward = (
        register(unlike, still, warped, start=start, **settings)
        for unlike, still, warped, start in zip(
            (there, home), (fixed, moving), (moving, fixed), starts, strict=True
        )
    )
    return {"forward": forward, "backward": backward}


def register(
    dissimilarity: Dissimilarity,
    fixed: Tensor,
    moving: Tensor,
    *,
    spacings: Sequence[float] = (32, 16, 8),
    weight: float = 0.1,
    steps: int = 40,
    rate: float = 0.4,
    start: Tensor | None = None,
) -> Tensor:
    """The field that makes warped(moving) like fixed.

        min over c of  dissimilarity(fixed, moving(x + u_c(x))) + weight · bending energy of u_c

    Arguments:
        dissimilarity: (fixed, warped) → (N,), differentiable in `warped`.
        fixed, moving: (N, 1, *spatial). All pairs are optimised at once, and independently.
        spacings: control points' distances in voxels; each adds a lattice for `steps` steps.
        rate: Adam's, in voxels.
        start: an affine field (N, d, *spatial) in voxels to begin with, which bends nothing.
    Returns (N, d, *spatial) voxels, without gradient.
    """
    shape, dims = fixed.shape[2:], fixed.ndim - 2
    start = fixed.new_zeros(len(fixed), dims, *shape) if start is None else start
    lattices: list[tuple[Tensor, list[Tensor]]] = []
    with torch.enable_grad():
        for spacing in spacings:
            bases = [basis(size, spacing, fixed.device) for size in shape]
            free = fixed.new_zeros(len(fixed), dims, *(b.shape[1] for b in bases))
            lattices.append((free.requires_grad_(), bases))
            parameters = [c for c, _ in lattices]
            optimiser = torch.optim.Adam(parameters, lr=rate)
            for _ in range(steps):
                field = start + sum(free_form(*lattice) for lattice in lattices)
                loss = dissimilarity(fixed, fields.warp(moving, field)).sum()
                loss = loss + weight * len(fixed) * bending_energy(field)
                gradients = torch.autograd.grad(loss, parameters)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimiser.step()
    return start + sum(free_form(c.detach(), bases) for c, bases in lattices)
