"""The user's own pictures on one grid: what several questions share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def fitted(image: np.ndarray, side: int) -> Tensor:
    """A picture (C, y, x) in the middle of a black square, (C, side, side), its own shape kept."""
    given = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None]
    scale = side / max(given.shape[-2:])
    rows, columns = (max(1, round(n * scale)) for n in given.shape[-2:])
    small = F.interpolate(given, size=(rows, columns), mode="bilinear", antialias=True)
    down, right = side - rows, side - columns
    edges = (right // 2, right - right // 2, down // 2, down - down // 2)
    return F.pad(small, edges)[0]


def coloured(image: np.ndarray, channels: int) -> np.ndarray:
    """A picture (1 or 3, y, x) with so many channels: grey in all three, colours as they are."""
    return image if len(image) == channels else np.repeat(image[:1], channels, 0)


def keys(names: Sequence[str]) -> list[str]:
    """A word for each class, to end the key of its metric.

    >>> keys(["benign", "Grade II"]), keys(["A", "a"])
    (['benign', 'grade_ii'], ['0_a', '1_a'])
    """
    words = ["_".join(name.lower().split()) for name in names]
    if len(set(words)) == len(words):
        return words
    return [f"{number}_{word}" for number, word in enumerate(words)]


def stacked(images: Sequence[np.ndarray], rows: Sequence[int], side: int) -> Tensor:
    """Some of the images (n, C, …): at their own size where all have one in an array, else fitted
    into squares; grey ones among coloured ones become coloured."""
    if not len(rows):
        raise ValueError("There is no image to stack.")
    if getattr(images, "shape", None):
        whole: Any = images
        return torch.from_numpy(np.ascontiguousarray(whole[np.asarray(rows)]))
    channels = _channels(images)
    return torch.stack([fitted(coloured(images[k], channels), side) for k in rows])


def values(images: Sequence[np.ndarray], side: int) -> int:
    """How many numbers one of the images holds, as `stacked` gives it."""
    shape: Any = getattr(images, "shape", None)
    return int(np.prod(shape[1:])) if shape else _channels(images) * side * side


def sides(images: Sequence[np.ndarray], side: int) -> str:
    """What became of the images' sizes, in a sentence."""
    shape: Any = getattr(images, "shape", None)
    if shape:
        return f"Images at their own size of {' x '.join(map(str, shape[2:]))} pixels."
    return longer(_shapes(images), side)


def longer(shapes: Sequence[tuple[int, int]], side: int) -> str:
    """What became of the longer side of pictures, in a sentence."""
    native = sorted({max(shape) for shape in shapes})
    have = str(native[0]) if len(native) == 1 else f"{native[0]} to {native[-1]}"
    if native == [side]:
        return f"The longer side of the pictures is {side} pixels, as in the files."
    return f"The longer side of the pictures is {side} instead of {have} pixels."


def _shapes(images: Any) -> list[tuple[int, int]]:
    known = getattr(images, "shapes", None)
    return list(known) if known else [image.shape[-2:] for image in images]


def _channels(images: Any) -> int:
    known = getattr(images, "channels", None)
    return known if known else max(len(image) for image in images)
