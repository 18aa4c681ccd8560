"""Small random changes of pictures: the classic augmentation.

All pictures of a batch are changed in one operation, each in its own way.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


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

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
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
