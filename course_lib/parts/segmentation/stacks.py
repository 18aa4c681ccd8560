"""Stacks of slices for networks: intensities, and slice by slice."""

from collections.abc import Mapping

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
