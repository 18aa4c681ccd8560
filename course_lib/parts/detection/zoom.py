"""Images that are stretched, moved and relit together with their boxes: detectors' augmentation."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch


@dataclass(frozen=True)
class Zoom:
    """How far every second image of a batch is changed; the others stay as they are, because what
    is resampled is smoother than what was measured.

    scale: larger or smaller by up to this share, along each axis by itself. shift: up to this share
    of the side. gain, offset: of the values of each channel, as shares of half the window. kept:
    what share of a box must be left inside the image, or it is none.
    """

    scale: float = 0.25
    shift: float = 0.1
    gain: float = 0.1
    offset: float = 0.05
    kept: float = 0.4

    def __call__(
        self,
        batch: Batch,
        window: tuple[float, float],
        generator: torch.Generator | None = None,
    ) -> Batch:
        """A batch with `image` (N, C, H, W), `boxes` (N, K, 4) pixels and `labels` (N, K)."""
        image, boxes, labels = (batch[name].clone() for name in ("image", "boxes", "labels"))
        part = image[::2]
        count, channels = part.shape[:2]
        draws = 2 * torch.rand(4 + 2 * channels, count, generator=generator).to(image) - 1
        zoom, shift = 1 + self.scale * draws[:2], self.shift * draws[2:4]
        image[::2] = self._relit(_moved(part, zoom, shift), window, draws[4:])
        size = torch.tensor(image.shape[2:], device=image.device).to(boxes)[:, None]
        # Rows are y and x; a middle stays where it is but for the shift.
        scale, start = zoom, size / 2 * (1 - zoom) + size * shift
        scale, start = (torch.cat([x, x]).T[:, None] for x in (scale, start))
        moved = boxes[::2] * scale + start
        inside = torch.minimum(moved.clamp_min(0), torch.cat([size, size])[:, 0])
        share = _area(inside) / _area(moved).clamp_min(1e-6)
        there = (labels[::2] >= 0) & (share >= self.kept)
        boxes[::2] = torch.where(there[..., None], inside, torch.zeros_like(inside))
        labels[::2] = torch.where(there, labels[::2], -1)
        return batch | {"image": image, "boxes": boxes, "labels": labels}

    def _relit(self, image: Tensor, window: tuple[float, float], draws: Tensor) -> Tensor:
        """Brighter or darker channels; `draws` (2 C, N) between −1 and 1."""
        gain, offset = (x.T[..., None, None] for x in draws.chunk(2))
        middle, half = sum(window) / 2, (window[1] - window[0]) / 2
        return middle + (1 + self.gain * gain) * (image - middle) + self.offset * half * offset


def _moved(image: Tensor, zoom: Tensor, shift: Tensor) -> Tensor:
    """Images with each axis y, x enlarged by `zoom` (2, N) around the middle, then moved by `shift`
    (2, N) of the side; beyond the image its border goes on."""
    none = torch.zeros_like(zoom[0])
    across = torch.stack([1 / zoom[1], none, -2 * shift[1] / zoom[1]], 1)
    down = torch.stack([none, 1 / zoom[0], -2 * shift[0] / zoom[0]], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)
