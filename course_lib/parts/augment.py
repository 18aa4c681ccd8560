"""Small random changes of pictures, and of stacks with their labels: the classic augmentation.

All pictures of a batch are changed in one operation, each in its own way.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch


@dataclass(frozen=True)
class Change:
    """How far each kind of change goes; 0 or False switches it off.

    flip: mirrored left to right, top to bottom, or both. turn_degrees: by up to this angle.
    shift_pixels: along both axes. scale: larger or smaller by up to this share. shear: slant, as
    a share. noise: standard deviation of added white noise, in the unit of the pictures.
    """

    flip: bool = True
    turn_degrees: float = 90.0
    shift_pixels: float = 2.0
    scale: float = 0.1
    shear: float = 0.1
    noise: float = 20.0

    def times(self, strength: float) -> "Change":
        """The same kinds of change, so many times as far; turns stop at 180 degrees."""
        return replace(
            self,
            flip=self.flip and strength > 0,
            turn_degrees=min(180.0, strength * self.turn_degrees),
            shift_pixels=strength * self.shift_pixels,
            scale=strength * self.scale,
            shear=strength * self.shear,
            noise=strength * self.noise,
        )

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Changed copies of (N, C, H, W); what comes in from outside is the mirrored border."""
        if self == NOTHING:
            return images
        count, size = len(images), images.shape[-1]
        draws = (2 * torch.rand(7, count, generator=generator) - 1).to(images.device)
        turn = torch.deg2rad(self.turn_degrees * draws[0])
        zoom, slant = 1 + self.scale * draws[1], self.shear * draws[2]
        side, upright = (draws[k].sign() if self.flip else torch.ones_like(turn) for k in (3, 4))
        across, down = (2 * self.shift_pixels / size * draws[k] for k in (5, 6))
        cosine, sine = turn.cos() / zoom, turn.sin() / zoom
        matrix = torch.stack(
            [
                torch.stack([side * cosine, slant * cosine - sine, across], 1),
                torch.stack([side * sine, (slant * sine + cosine) * upright, down], 1),
            ],
            1,
        )
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        if self.noise:
            white = torch.randn(moved.shape, generator=generator).to(moved)
            moved = moved + self.noise * white
        return moved


NOTHING = Change(False, 0.0, 0.0, 0.0, 0.0, 0.0)


def half_changed(batch: Batch, change: Change, names: tuple[str, ...]) -> Batch:
    """The batch with every second case changed, in those of the named tensors that it has alike:
    images (N, C, …, H, W), all slices of a volume as one. Half stay as they are, because what is
    resampled is smoother than what was measured."""
    there = [name for name in names if name in batch]
    planes = [batch[name].flatten(1, -3) for name in there]
    moved = change(torch.cat([plane[::2].float() for plane in planes], 1))
    result = dict(batch)
    for name, plane, part in zip(
        there, planes, moved.split([plane.shape[1] for plane in planes], 1), strict=True
    ):
        whole = plane.clone()
        whole[::2] = (part if plane.is_floating_point() else part.round()).to(plane)
        result[name] = whole.view_as(batch[name])
    return result


@dataclass(frozen=True)
class Bend:
    """How far stacks of slices are moved and bent in their plane, and relit, in training.

    turn_degrees: by up to this angle. scale: larger or smaller by up to this share, along each
    axis by itself. bend: standard deviation of the points of a grid of 4 x 4 that the plane is
    pulled by, as a share of its side. gain, offset: of the values, as shares of half their window.
    """

    turn_degrees: float = 8.0
    scale: float = 0.1
    bend: float = 0.015
    gain: float = 0.1
    offset: float = 0.05

    def __call__(
        self, image: Tensor, label: Tensor, window: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Changed copies of an image (N, C, D, H, W), whose window is (N, 2), and of its label map
        (N, 1, D, H, W); all slices of a stack alike, what comes in from outside is the mirrored
        border."""
        count = len(image)
        draws = (2 * torch.rand(5, count, generator=generator) - 1).to(image.device)
        turn = torch.deg2rad(self.turn_degrees * draws[0])
        wide, high = 1 + self.scale * draws[1], 1 + self.scale * draws[2]
        cosine, sine, none = turn.cos(), turn.sin(), torch.zeros_like(turn)
        rows = [cosine / wide, -sine / wide, none], [sine / high, cosine / high, none]
        matrix = torch.stack([torch.stack(row, 1) for row in rows], 1)
        plane = image.flatten(1, 2)  # the slices as channels: one field for all of them
        pulls = 2 * self.bend * torch.randn(count, 2, 4, 4, generator=generator)
        field = F.interpolate(
            pulls.to(image), plane.shape[-2:], mode="bicubic", align_corners=False
        )
        grid = F.affine_grid(matrix.to(image), list(plane.shape), align_corners=False)
        grid = grid + field.movedim(1, -1)
        plane, marks = (
            F.grid_sample(each, grid, mode=mode, padding_mode="reflection", align_corners=False)
            for each, mode in ((plane, "bilinear"), (label.flatten(1, 2).to(image), "nearest"))
        )
        low, above = window[:, 0, None, None, None], window.diff(dim=1)[..., None, None]
        middle, half = low + above / 2, above / 2
        gain, offset = (x.view(-1, 1, 1, 1) for x in (1 + self.gain * draws[3], draws[4]))
        plane = middle + gain * (plane - middle) + self.offset * offset * half
        return plane.view_as(image), marks.view(label.shape).to(label.dtype)
