"""Stacks of slices for networks: intensities, slice by slice, and sides that do not divide."""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor


def standardise(batch: Mapping[str, Tensor]) -> Tensor:
    """`image` (N, 1, D, H, W) with its `window` (N, 2) mapped to −1 … 1, and not much beyond.

    MR intensities have no unit and CT's are far from one, so networks see the window's instead.
    """
    image, window = batch["image"], batch["window"]
    low, high = window.T.reshape(2, -1, 1, 1, 1, 1)
    return (2 * (image - low) / (high - low) - 1).clamp(-2, 3)


def to_slices(stack: Tensor) -> Tensor:
    """(N, C, D, H, W) → (N·D, C, H, W)."""
    return stack.movedim(2, 1).flatten(0, 1)


def from_slices(slices: Tensor, cases: int) -> Tensor:
    """(N·D, C, H, W) → (N, C, D, H, W) of `cases` = N stacks."""
    return slices.unflatten(0, (cases, -1)).movedim(1, 2)


def padded(image: Tensor, multiples: Sequence[int]) -> Tensor:
    """The image with its last axes continued at their ends to multiples of the given numbers.

    Crop the network's answer back to the image's sides.
    """
    spatial = image.shape[2:]
    factors = [1] * (len(spatial) - len(multiples)) + list(multiples)
    missing = [-side % factor for side, factor in zip(spatial, factors, strict=True)]
    if not any(missing):
        return image
    return F.pad(image, [n for k in reversed(missing) for n in (0, k)], mode="replicate")
