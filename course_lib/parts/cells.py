"""Where in an image the cells of a feature map lie.

A convolution or a pooling of kernel k, stride s and padding p sees, with its first output, inputs
whose middle is (k − 1)/2 − p behind the first input's. So each layer moves the first cell's middle
by ((k − 1)/2 − p) times the stride so far, and multiplies the stride by s (Dumoulin & Visin 2016,
arXiv:1603.07285). With k = 3, s = 2, p = 1, as most networks here have it, the first cell stays on
the first pixel: cell i lies on pixel s·i, and not in the middle of a square of s pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cells:
    """Cell i of a map has its middle at first + stride · i, in pixels from the image's edge, where
    pixel k has its own at k + ½: by default the map is the image."""

    stride: float = 1.0
    first: float = 0.5

    def middles(self, count: int) -> Tensor:
        """The middles of `count` cells along an axis, (count,) pixels from the edge."""
        return self.first + self.stride * torch.arange(count)

    def behind(self, *modules: nn.Module) -> "Cells":
        """Where the cells lie after some layers in a row."""
        stride, first = self.stride, self.first
        for kernel, step, padding in _layers(modules):
            first += ((kernel - 1) / 2 - padding) * stride
            stride *= step
        return Cells(stride, first)

    def seen_from(self, finer: "Cells") -> "Cells":
        """These cells as cells of a finer map of the same image."""
        return Cells(self.stride / finer.stride, (self.first - finer.first) / finer.stride + 0.5)

    def enlarged(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps (N, C, h, w) on the image's pixels, (N, C, *size): linear between the cells'
        middles, constant beyond the outermost."""
        down, across = (
            self._weights(pixels, cells).to(maps)
            for pixels, cells in zip(size, maps.shape[2:], strict=True)
        )
        return down @ maps @ across.T

    def _weights(self, pixels: int, cells: int) -> Tensor:
        """What each pixel takes of each cell along an axis, (pixels, cells)."""
        place = (Cells().middles(pixels) - self.first) / self.stride
        away = place.clamp(0, cells - 1)[:, None] - torch.arange(cells)
        return (1 - away.abs()).clamp_min(0)


def _layers(modules: Iterable[Any]) -> Iterator[tuple[float, float, float]]:
    """Kernel, stride and padding of all layers that have them, in the order of the modules. A block
    with a shortcut counts once, by its `residual` way; a kernel's holes count as part of it."""
    for module in modules:
        if hasattr(module, "kernel_size"):
            sides = (module.kernel_size, module.stride, module.padding)
            kernel, step, padding, holes = (
                value[0] if isinstance(value, tuple) else value
                for value in (*sides, getattr(module, "dilation", 1))
            )
            yield (kernel - 1) * holes + 1, step, padding
        elif hasattr(module, "residual"):
            yield from _layers([module.residual])
        else:
            yield from _layers(module.children())
