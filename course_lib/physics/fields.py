"""Deformation fields: where each voxel of a warped image looks into the moving one.

A displacement u has shape (N, d, *spatial), is given in voxels with channels in the order of the
axes ((y, x) or (z, y, x)), and pulls: `warped(x) = moving(x + u(x))`. A stationary velocity v
generates a diffeomorphism, the flow of dφ/dt = v(φ) at time one, whose inverse is the flow of −v.
Everything is batched, differentiable, and the same in 2D and 3D.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def voxel_grid(shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Voxel coordinates of a grid, (d, *shape), float32, in the order of the axes."""
    axes = [torch.arange(size, dtype=torch.float32, device=device) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def look_up(
    image: Tensor, positions: Tensor, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """Values of an image (N, C, *spatial) at positions (N, d, …) in its voxels: (N, C, …)."""
    sizes = image.shape[2:]
    # grid_sample counts from −1 to 1 between voxel centres and wants x first, channels last.
    scaled = [2 * positions[:, k] / max(size - 1, 1) - 1 for k, size in enumerate(sizes)]
    grid = torch.stack(scaled[::-1], dim=-1)
    return F.grid_sample(image, grid, mode=mode, padding_mode=padding, align_corners=True)


def warp(image: Tensor, displacement: Tensor, mode: str = "bilinear", padding: str = "border"):
    """Warps images: `warped(x) = image(x + u(x))`.

    Arguments:
        image: (N, C, *spatial), any unit, floating point.
        displacement: (N, d, *spatial_out) in voxels of `image`.
        mode: `bilinear` (trilinear in 3D), `bicubic` (2D only), or `nearest` for labels.
        padding: what lies outside: `border` repeats the edge, `zeros` is empty.
    Returns (N, C, *spatial_out). Raises ValueError when the field does not fit the image's axes.
    """
    dims = image.dim() - 2
    if displacement.shape[1] != dims or displacement.dim() != image.dim():
        raise ValueError(
            f"An image of shape {tuple(image.shape)} needs a displacement (N, {dims}, *spatial), "
            f"got {tuple(displacement.shape)}."
        )
    positions = voxel_grid(displacement.shape[2:], displacement.device) + displacement
    return look_up(image, positions, mode, padding)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The field that warps like `outer` first and `inner` after.

    x ↦ inner(x) + outer(x + inner(x)), so that
    `warp(image, compose(outer, inner)) ≈ warp(warp(image, outer), inner)`.
    Arguments and result: (N, d, *spatial) in voxels.
    """
    return inner + warp(outer, inner)


def exponential(velocity: Tensor, steps: int = 7) -> Tensor:
    """The displacement of a stationary velocity, by scaling and squaring.

    exp(v) = (exp(v / 2^K))^(2^K): the field v / 2^K is composed with itself K times. The inverse
    deformation is `exponential(-velocity)`.

    Arguments:
        velocity: (N, d, *spatial) in voxels per unit time.
        steps: K; v / 2^K should stay below half a voxel.
    Source: Arsigny et al. 2006, doi:10.1007/11866565_113.
    """
    displacement = velocity / 2**steps
    for _ in range(steps):
        displacement = compose(displacement, displacement)
    return displacement


def inverse(displacement: Tensor, iterations: int = 20) -> Tensor:
    """The inverse of any invertible field, by the fixed point w(x) = −u(x + w(x)).

    Converges where the displacement changes by less than one voxel per voxel. For a field that
    came from a velocity, `exponential(-velocity)` is faster.
    Source: Chen et al. 2008, doi:10.1118/1.2816107.
    """
    result = -displacement
    for _ in range(iterations):
        result = -warp(displacement, result)
    return result


def at_points(field: Tensor, points: Tensor) -> Tensor:
    """Values of a field (N, C, *spatial) at points (N, K, d) in voxels: (N, K, C), linear."""
    count, dims = points.shape[1:]
    positions = points.transpose(1, 2).reshape(len(points), dims, count, *[1] * (dims - 1))
    return look_up(field, positions, "bilinear", "border").flatten(2).transpose(1, 2)


def move_points(points: Tensor, displacement: Tensor) -> Tensor:
    """Where points of the warped image lie in the moving one: q + u(q), (N, K, d) in voxels."""
    return points + at_points(displacement, points)


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """det(I + ∇u), the local change of volume, (N, *spatial): 1 keeps it, ≤ 0 folds.

    Central differences inside, one-sided at the edges.
    """
    dims = displacement.shape[1]
    spatial = tuple(range(1, dims + 1))
    rows = [
        torch.stack(torch.gradient(displacement[:, k], dim=spatial), dim=-1) for k in range(dims)
    ]
    matrix = torch.stack(rows, dim=-2) + torch.eye(dims, device=displacement.device)
    return torch.linalg.det(matrix)


def folding_percent(displacement: Tensor) -> Tensor:
    """Share of voxels where the map folds (Jacobian determinant ≤ 0), in percent, (N,)."""
    return (jacobian_determinant(displacement) <= 0).float().flatten(1).mean(1) * 100


def random_velocity(
    shape: Sequence[int],
    n: int,
    smoothness_voxels: float,
    strength_voxels: float,
    generator: torch.Generator,
) -> Tensor:
    """Gaussian random velocities: white noise under a Gaussian of known width.

    Arguments:
        shape: spatial shape (H, W) or (D, H, W).
        n: how many.
        smoothness_voxels: standard deviation of the Gaussian that smooths the noise.
        strength_voxels: standard deviation of each component.
        generator: CPU generator; the same seed gives the same fields.
    Returns (n, d, *shape) in voxels. The noise wraps around at the borders.
    """
    dims = len(shape)
    axes = tuple(range(2, 2 + dims))
    noise = torch.randn((n, dims, *shape), generator=generator)
    frequencies = [torch.fft.fftfreq(size) for size in shape[:-1]] + [torch.fft.rfftfreq(shape[-1])]
    squared = sum(f**2 for f in torch.meshgrid(*frequencies, indexing="ij"))
    smoothing = torch.exp(-2 * (math.pi * smoothness_voxels) ** 2 * squared)
    kernel = torch.fft.irfftn(smoothing, s=tuple(shape))
    smooth = torch.fft.irfftn(torch.fft.rfftn(noise, dim=axes) * smoothing, s=shape, dim=axes)
    # Filtered unit noise has the energy of the kernel as its variance.
    return smooth * (strength_voxels / kernel.square().sum().sqrt())
