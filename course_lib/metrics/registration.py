"""How well a deformation brings anatomy together, and whether it is one a body could do.

Displacements are (N, d, *spatial) in voxels and pull: warped(x) = moving(x + u(x)); see
`physics.fields`. Results are (N,). A NaN in a field gives NaN for its case alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.physics import fields


def tre_mm(
    displacement: Tensor,
    fixed_points: Tensor,
    moving_points: Tensor,
    spacing_mm: Sequence[float] | Tensor,
) -> Tensor:
    """Target registration error (`tre_mm`, mm, lower is better, ideal 0).

    mean over landmarks of ‖q + u(q) − p‖: the field read at the fixed image's landmark q must point
    at the same landmark p of the moving image.

    Arguments:
        displacement: (N, d, *spatial) in voxels.
        fixed_points, moving_points: (N, K, d) in voxels, in the order of the axes; landmarks
            missing in a case are NaN and left out there.
        spacing_mm: (d,) or (N, d).

    Returns (N,) mm; NaN for a case without landmarks.

    Source: Fitzpatrick & West 2001, doi 10.1109/42.952729.
    """
    missing = (fixed_points.isnan() | moving_points.isnan()).any(-1)
    found = fields.move_points(fixed_points.nan_to_num(), displacement)
    away = (found - moving_points) * _spacing(spacing_mm, displacement)[:, None]
    return _mean(away.norm(dim=-1), ~missing)


def endpoint_error_mm(
    displacement: Tensor,
    truth: Tensor,
    spacing_mm: Sequence[float] | Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """Endpoint error (`endpoint_error_mm`, mm, lower is better, ideal 0).

    mean ‖u − u*‖ over all voxels or those of `mask`, bool (N, 1, *spatial): in the empty
    background a field means nothing. Only simulated pairs have a true field u*.
    """
    away = (displacement - truth) * _voxel_size(spacing_mm, displacement)
    inside = torch.ones_like(displacement[:, :1], dtype=torch.bool) if mask is None else mask
    return _mean(away.norm(dim=1), inside[:, 0])


def inverse_consistency_mm(
    forward: Tensor,
    backward: Tensor,
    spacing_mm: Sequence[float] | Tensor,
    region: Tensor | None = None,
) -> Tensor:
    """Inverse-consistency error (`inverse_consistency_mm`, mm, lower is better, ideal 0).

    mean ‖u_f(x) + u_b(x + u_f(x))‖: there and back again should end where it began. Voxels that
    the forward field sends out of the picture are left out, and all outside `region` (N, 1,
    *spatial): in the empty background a field means nothing.

    Source: Christensen & Johnson 2001, doi 10.1109/42.932742.
    """
    size = torch.tensor(forward.shape[2:], device=forward.device)
    position = fields.voxel_grid(forward.shape[2:], forward.device) + forward
    limit = (size - 1).view(1, -1, *[1] * len(size))
    # "not outside" keeps voxels with NaN, which must show in the result.
    stays = ~((position < 0) | (position > limit)).any(1)
    if region is not None:
        stays = stays & region[:, 0]
    away = fields.compose(backward, forward) * _voxel_size(spacing_mm, forward)
    return _mean(away.norm(dim=1), stays)


def folding_percent(displacement: Tensor) -> Tensor:
    """Folding (`folding_percent`, % of voxels, lower is better, ideal 0).

    The share of voxels whose Jacobian determinant det(I + ∇u) is not positive: there the map
    turns tissue inside out. NaN for a field with a NaN.
    """
    broken = displacement.isnan().flatten(1).any(1)
    return fields.folding_percent(displacement).masked_fill(broken, torch.nan)


def _spacing(spacing_mm: Sequence[float] | Tensor, displacement: Tensor) -> Tensor:
    """Spacing per case (N, d)."""
    count, dimensions = displacement.shape[:2]
    spacing = torch.as_tensor(spacing_mm, dtype=displacement.dtype, device=displacement.device)
    if spacing.shape not in ((dimensions,), (count, dimensions)) or not (spacing > 0).all():
        raise CourseError(f"Spacing must be {dimensions} positive numbers in mm, got {spacing_mm}.")
    return spacing.expand(count, dimensions)


def _voxel_size(spacing_mm: Sequence[float] | Tensor, displacement: Tensor) -> Tensor:
    return _spacing(spacing_mm, displacement).view(
        *displacement.shape[:2], *[1] * (displacement.ndim - 2)
    )


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of (N, …) over the chosen entries of each case; NaN where there are none."""
    total = torch.where(chosen, values, torch.zeros_like(values)).flatten(1).sum(1)
    return total / chosen.flatten(1).sum(1)
