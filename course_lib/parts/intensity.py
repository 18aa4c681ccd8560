"""From whatever unit images are in to what networks see."""

from torch import Tensor


def unit_range(image: Tensor, window: tuple[float, float]) -> Tensor:
    """Images as 0 (the window's black) to 1 (its white), clipped.

    u = (x − low) / (high − low)

    Arguments:
        image: of any shape and unit.
        window: the values that are shown black and white.
    """
    low, high = window
    return ((image.float() - low) / (high - low)).clamp(0, 1)
