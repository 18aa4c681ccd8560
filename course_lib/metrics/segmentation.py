"""Overlap and surface distances of masks, in millimetres.

Every function takes boolean masks (N, C, *spatial), one channel per structure, and returns (N, C).
`one_hot` makes them from label maps.

ONE policy for what is not there, for all metrics and all questions, so that averages of different
methods stay comparable, and nobody earns anything by saying nothing of what does not exist:

| structure in the truth | in the prediction | dice | distances |
|---|---|---|---|
| yes | no: missed | 0 | the diagonal of the field of view in mm: the largest possible error |
| no | yes: made up | 0 | the same diagonal |
| no | no | nan | nan: there is no such structure in the case, so it is left out of means |

`mean_present` is the mean over a case's structures under this policy, `missed` counts those of the
first row, and `last_present` picks the smallest structure that a case has.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from course_lib.errors import CourseError


def one_hot(labels: Tensor, classes: Sequence[int]) -> Tensor:
    """Label maps (N, *spatial) of whole numbers as masks (N, C, *spatial) of the given labels."""
    return torch.stack([labels == label for label in classes], 1)


def dice(prediction: Tensor, target: Tensor) -> Tensor:
    """Dice overlap (`dice`, no unit, higher is better, ideal 1).

    2·|P ∩ T| / (|P| + |T|). Small structures lose much by one voxel; nan where both masks are
    empty, see the module.

    Arguments:
        prediction, target: bool (N, C, *spatial).

    Returns (N, C).

    Raises CourseError when shapes differ or the masks are not boolean.

    Source: Dice 1945, doi 10.2307/1932409.
    """
    _check(prediction, target)
    both = (prediction & target).flatten(2).sum(2)
    sizes = prediction.flatten(2).sum(2) + target.flatten(2).sum(2)
    return (2 * both / sizes.clamp(min=1)).masked_fill(sizes == 0, torch.nan)


def mean_present(values: Tensor) -> Tensor:
    """Values (N, C) averaged over the structures that exist in each case, in truth or in the
    prediction, (N,); nan for a case without any."""
    return values.nanmean(1)


def missed(prediction: Tensor, target: Tensor) -> Tensor:
    """Missed structures (`missed`, number, lower is better, ideal 0): those of the truth of which
    not a voxel was drawn, counted in each case.

    Arguments:
        prediction, target: bool (N, C, *spatial).

    Returns (N,); nan for a case without a structure to miss.
    """
    _check(prediction, target)
    there = target.flatten(2).any(2)
    count = (there & ~prediction.flatten(2).any(2)).sum(1).float()
    return count.masked_fill(~there.any(1), torch.nan)


def last_present(values: Tensor, target: Tensor) -> Tensor:
    """Of values (N, C), those of the last structure that the truth of each case has, (N,): the
    smallest one where structures are in the order of their sizes. nan for a case without any."""
    there = target.flatten(2).any(2)
    place = torch.arange(there.shape[1], device=there.device)
    last = torch.where(there, place, -1).amax(1)
    found = values.gather(1, last.clamp_min(0)[:, None])[:, 0]
    return found.masked_fill(last < 0, torch.nan)


def hd95_mm(prediction: Tensor, target: Tensor, spacing_mm: Sequence[float] | Tensor) -> Tensor:
    """95th percentile Hausdorff distance (`hd95_mm`, mm, lower is better, ideal 0).

    The larger of the two directed 95th percentiles of the distances from one surface to the other
    (linear interpolation between ranks): the worst error, but for 5% of the surface. See the module
    for what is not there.

    Arguments:
        prediction, target: bool (N, C, *spatial); the search runs on the CPU.
        spacing_mm: (d,) or, if it differs between cases, (N, d), in the order of the axes.

    Returns (N, C) mm.

    Raises CourseError when shapes differ, masks are not boolean, or the spacing does not fit.

    Source: Huttenlocher et al. 1993, doi 10.1109/34.232073; Maier-Hein et al. 2024,
        doi 10.1038/s41592-023-02151-z.
    """
    return surface_distances_mm(prediction, target, spacing_mm)[0]


def assd_mm(prediction: Tensor, target: Tensor, spacing_mm: Sequence[float] | Tensor) -> Tensor:
    """Average symmetric surface distance (`assd_mm`, mm, lower is better, ideal 0).

    The mean distance to the other surface over all surface voxels of both. Arguments, result and
    errors as for `hd95_mm`.
    """
    return surface_distances_mm(prediction, target, spacing_mm)[1]


def surface_distances_mm(
    prediction: Tensor, target: Tensor, spacing_mm: Sequence[float] | Tensor
) -> tuple[Tensor, Tensor]:
    """`hd95_mm` and `assd_mm` at once, for the price of one."""
    _check(prediction, target)
    batch, channels, *size = target.shape
    spacing = torch.as_tensor(spacing_mm, dtype=torch.float64).cpu()
    if spacing.shape[-1] != len(size) or spacing.ndim > 2 or not (spacing > 0).all():
        raise CourseError(f"Spacing must be {len(size)} positive numbers in mm, got {spacing_mm}.")
    spacing = spacing.expand(batch, -1).numpy()
    result = np.zeros((2, batch, channels))
    ours, theirs = prediction.cpu().numpy(), target.cpu().numpy()
    for case, channel in np.ndindex(batch, channels):
        result[:, case, channel] = _distances(
            ours[case, channel], theirs[case, channel], spacing[case]
        )
    hd95, assd = torch.from_numpy(result).float().to(target.device)
    return hd95, assd


def _distances(prediction: np.ndarray, target: np.ndarray, spacing: np.ndarray):
    surfaces = [_surface(mask) * spacing for mask in (prediction, target)]
    empty = [len(surface) == 0 for surface in surfaces]
    if any(empty):
        distance = np.nan if all(empty) else float(np.linalg.norm(spacing * target.shape))
        return distance, distance
    # Surfaces are even clouds of points: a tree built without sorting is as quick to search.
    trees = [KDTree(surface, balanced_tree=False, compact_nodes=False) for surface in surfaces]
    there, back = (
        tree.query(surface)[0] for tree, surface in zip(trees[::-1], surfaces, strict=True)
    )
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return hd95, np.concatenate([there, back]).mean()


def _surface(mask: np.ndarray) -> np.ndarray:
    """Indices (K, d) of the mask's voxels with a face on the background or the picture's edge."""
    axes = range(mask.ndim)
    lines = [np.flatnonzero(mask.any(tuple(set(axes) - {axis}))) for axis in axes]
    if not len(lines[0]):
        return np.zeros((0, mask.ndim))
    inside = mask[tuple(slice(line[0], line[-1] + 1) for line in lines)]
    ringed = np.pad(inside, 1)  # with background, so that the ends of the box are surface
    inner = ringed.copy()
    for axis in axes:
        kept, whole = np.moveaxis(inner, axis, 0), np.moveaxis(ringed, axis, 0)
        kept[1:] &= whole[:-1]
        kept[:-1] &= whole[1:]
    edge = inside & ~inner[(slice(1, -1),) * mask.ndim]
    return np.argwhere(edge) + [line[0] for line in lines]


def _check(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape or target.ndim not in (4, 5):
        raise CourseError(
            f"Prediction {tuple(prediction.shape)} and target {tuple(target.shape)} must have the "
            "same shape (N, C, H, W) or (N, C, D, H, W)."
        )
    if prediction.dtype != torch.bool or target.dtype != torch.bool:
        raise CourseError(
            f"Masks must be boolean, got {prediction.dtype} and {target.dtype}: "
            "threshold probabilities first, turn label maps into masks with `one_hot`."
        )
