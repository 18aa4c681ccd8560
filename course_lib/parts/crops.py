"""Cut, mirrored, turned: the same image once more, as training sees it."""

import torch
from torch import Tensor


def cut(wide: Tensor, corner: Tensor, side: int) -> Tensor:
    """Squares of (N, C, …, H, W) whose first pixel is `corner` (N, 2): (N, C, …, side, side)."""
    pairs = zip(wide, corner.tolist(), strict=True)
    return torch.stack([one[..., y : y + side, x : x + side] for one, (y, x) in pairs])


def turned(image: Tensor, mirror: Tensor, quarters: Tensor) -> Tensor:
    """Each image (N, …, H, W), H = W, mirrored where `mirror` (N,) is nonzero, then turned by
    `quarters` (N,) right angles."""
    moved = [
        torch.rot90(one.flip(-1) if flip else one, int(quarter), (-2, -1))
        for one, flip, quarter in zip(image, mirror, quarters, strict=True)
    ]
    return torch.stack(moved)
