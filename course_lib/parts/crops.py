"""Cut, mirrored, turned: the same image once more, as training sees it, a whole batch at once."""

import torch
from torch import Tensor


def boxes(images: Tensor, which: Tensor, corner: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Boxes of these `sides` out of images (M, …, *space), the first pixel of each at `corner`
    (N, axes) of the image number `which` (N,): (N, …, *sides). Copied line by line."""
    axes, between = len(sides), images.shape[1 : -len(sides)]
    lines = images.flatten(1, -axes - 1) if between else images.unsqueeze(1)
    lines = lines.unfold(-1, sides[-1], 1)

    def along(axis: int, values: Tensor) -> Tensor:
        return values.view(len(values), *(-1 if i == axis else 1 for i in range(axes)))

    place = [along(0, which[:, None]), torch.arange(lines.shape[1], device=which.device)]
    place[1] = along(0, place[1][None])
    for axis, side in enumerate(sides[:-1]):
        span = torch.arange(side, device=which.device)
        place.append(along(axis + 1, corner[:, axis, None] + span))
    place.append(along(0, corner[:, -1, None]))
    return lines[tuple(place)].view(len(which), *between, *sides)


def cut(wide: Tensor, corner: Tensor, side: int, which: Tensor | None = None) -> Tensor:
    """Squares whose first pixel is `corner` (N, 2), of (N, …, H, W) or of the images number `which`
    (N,) of them: (N, …, side, side)."""
    which = torch.arange(len(wide)) if which is None else which
    return boxes(wide, which.to(wide.device), corner.to(wide.device), (side, side))


def turned(image: Tensor, mirror: Tensor, quarters: Tensor) -> Tensor:
    """Each image (N, …, H, W), H = W, mirrored where `mirror` (N,) is nonzero, then turned by
    `quarters` (N,) right angles."""
    side = image.shape[-1]
    whole = torch.arange(side * side).view(side, side)
    ways = [torch.rot90(way, k, (0, 1)) for way in (whole, whole.flip(1)) for k in range(4)]
    place = torch.stack(ways).flatten(1)[4 * (mirror.cpu() != 0).long() + quarters.cpu()]
    index = place.to(image.device).view(len(image), *[1] * (image.ndim - 3), -1)
    return image.flatten(-2).gather(-1, index.expand(*image.shape[:-2], -1)).view(image.shape)
