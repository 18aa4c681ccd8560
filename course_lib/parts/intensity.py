"""From whatever unit a batch is in to what networks see."""

from collections.abc import Mapping

from torch import Tensor


def unit_range(batch: Mapping[str, Tensor], name: str = "image") -> Tensor:
    """The images as 0 (the window's black) to 1 (its white), clipped.

    u = (x − low) / (high − low)

    Arguments:
        batch: holds images (N, C, …) under `name` and `window` (N, 2), their black and white.
    """
    image, window = batch[name].float(), batch["window"].float()
    low, high = (edge.view(-1, *[1] * (image.ndim - 1)) for edge in window.unbind(1))
    return ((image - low) / (high - low)).clamp(0, 1)
