"""Where a 2D method works in a 3D block: in the planes along which detail was lost.

The fact `scale` holds whole factors along (z, y, x). Lost in-plane, (1, s, s): axial planes (y, x).
Lost through-plane, (s, 1, 1): coronal planes (z, x).
"""

from torch import Tensor

Scale = tuple[int, int, int]


def plane_factors(scale: Scale) -> tuple[int, int]:
    """The factors along the rows and columns of these planes."""
    return (scale[1], scale[2]) if scale[0] == 1 else (scale[0], scale[2])


def to_planes(volume: Tensor, scale: Scale) -> Tensor:
    """(N, C, D, H, W) → (N·D, C, H, W) axial or (N·H, C, D, W) coronal planes."""
    return volume.movedim(2 if scale[0] == 1 else 3, 1).flatten(0, 1)


def from_planes(planes: Tensor, cases: int, scale: Scale) -> Tensor:
    """The volume (N, C, D, H, W) of `cases` = N cases, back from its planes."""
    return planes.unflatten(0, (cases, -1)).movedim(1, 2 if scale[0] == 1 else 3)
