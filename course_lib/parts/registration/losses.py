"""Losses of registration: how unlike two images are, and how unlikely a deformation is.

Images are (N, 1, *spatial), displacements (N, d, *spatial) in voxels with
warped(x) = moving(x + u(x)); everything works in 2D and 3D. Similarities and dissimilarities return
one value per case, (N,), so that an optimiser can serve many pairs at once; penalties on fields
return their mean.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.physics import fields


def squared_difference(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference, (N,): for images whose brightness means the same."""
    return (one - other).square().flatten(1).mean(1)


def local_ncc(one: Tensor, other: Tensor, window: int = 9, floor: float = 1e-3) -> Tensor:
    """Mean squared correlation coefficient in windows, (N,), 0 to 1, higher is more alike.

        cc(x) = cov²/(var₁ var₂)   over the `window`^d voxels around x

    Insensitive to brightness, contrast and shading. `floor` keeps flat regions from counting
    (images are expected to have a standard deviation of about one).
    Source: Avants et al. 2008, doi 10.1016/j.media.2007.06.004.
    """
    parts = torch.cat([one, other, one * one, other * other, one * other], 1)
    first, second, first_squared, second_squared, both = _box_mean(parts, window).split(1, 1)
    cross = both - first * second
    variance = (first_squared - first.square()).clamp_min(0) + floor
    other_variance = (second_squared - second.square()).clamp_min(0) + floor
    return (cross.square() / (variance * other_variance)).flatten(1).mean(1)


def _box_mean(image: Tensor, window: int) -> Tensor:
    """Mean over windows of `window`^d voxels, of what of them lies inside: one axis after the
    other, which is the same number for d instead of window^(d - 1) times the work of one axis."""
    pool, dims = (F.avg_pool2d, 2) if image.ndim == 4 else (F.avg_pool3d, 3)
    for axis in range(dims):
        sides = [window if k == axis else 1 for k in range(dims)]
        padding = [side // 2 for side in sides]
        image = pool(image, sides, stride=1, padding=padding, count_include_pad=False)
    return image


def mutual_information(one: Tensor, other: Tensor, bins: int = 24) -> Tensor:
    """Mutual information of brightness, (N,) nats, higher is more alike, in any two contrasts.

        I = Σ p(a, b) log p(a, b) / (p(a) p(b))

    The joint histogram is filled with Gaussian windows, so that it has a gradient.
    Source: Viola & Wells 1997, doi 10.1023/A:1007958904918.
    """
    centres = torch.linspace(0, 1, bins, device=one.device)
    weights = []
    for image in (one, other):
        flat = image.flatten(1)
        low, high = flat.detach().amin(1, keepdim=True), flat.detach().amax(1, keepdim=True)
        scaled = (flat - low) / (high - low).clamp_min(1e-6)
        distance = (scaled[:, :, None] - centres) * (bins - 1)
        weight = torch.exp(-0.5 * distance.square())
        weights.append(weight / weight.sum(2, keepdim=True))
    joint = weights[0].mT @ weights[1] / weights[0].shape[1]
    apart = joint.sum(2, keepdim=True) * joint.sum(1, keepdim=True)
    return (joint * (joint.clamp_min(1e-9) / apart.clamp_min(1e-9)).log()).flatten(1).sum(1)


def smoothness(displacement: Tensor) -> Tensor:
    """mean ‖∇u‖², with forward differences: how much neighbours move apart."""
    steps = [d.square().mean() for d in _differences(displacement)]
    return torch.stack(steps).mean()


def bending_energy(displacement: Tensor) -> Tensor:
    """mean of the squared second derivatives: 0 for every affine map.

    Source: Rueckert et al. 1999, doi 10.1109/42.796284.
    """
    total = displacement.new_zeros(())
    axes = range(2, displacement.ndim)
    for first in axes:
        slope = displacement.diff(dim=first)
        for second in axes:
            total = total + slope.diff(dim=second).square().mean()
    return total


def anti_fold(displacement: Tensor) -> Tensor:
    """mean of relu(-(∂u/∂x) - 1) (∂u/∂x)² over the axes: 0 wherever 1 + ∂u/∂x > 0.

    A voxel that passes its neighbour pays, all others pay nothing.
    Source: Zhang 2018, arXiv:1809.03443.
    """
    total = displacement.new_zeros(())
    for axis in range(displacement.ndim - 2):
        slope = displacement[:, axis].diff(dim=axis + 1)
        total = total + (F.relu(-slope - 1) * slope.square()).mean()
    return total


def inverse_inconsistency(forward: Tensor, backward: Tensor) -> Tensor:
    """mean ‖u_f(x) - (-u_b(x + u_f(x)))‖²: the way back, read where the way there ends."""
    return (forward + fields.warp(backward, forward)).square().mean()


def _differences(displacement: Tensor) -> list[Tensor]:
    return [displacement.diff(dim=axis) for axis in range(2, displacement.ndim)]
