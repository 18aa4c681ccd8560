"""The U-Net of VoxelMorph, in 2D and 3D: two images in, a displacement field out.

Four convolutions of stride 2 with 16, 32, 32 and 32 maps go down; up they come with nearest
neighbours, skips and 32, 32, 32, 32 maps; two more with 16; LeakyReLU 0.2 throughout. The field is
drawn on every second voxel and interpolated, as in the authors' later code: a smooth field needs
no more, and a step costs half. The last layer starts near zero. MONAI's VoxelMorphUNet pools
instead of striding, and starts with fields of up to 0.1 voxels.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.parts.registration.fields import small_start

DOWN, UP, LAST = (16, 32, 32, 32), (32, 32, 32, 32), (16, 16)


class RegistrationUNet(nn.Module):
    """(N, 1, *spatial) moving and fixed → (N, d, *spatial) voxels; sides divisible by 16.

    Shrunk against the paper: nothing at full resolution, whose layers have 32, 32, 16 and 16 maps.
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d

        def layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(
                conv(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2, inplace=True)
            )

        inputs = (2, *DOWN)
        self.down = nn.ModuleList(layer(a, b, 2) for a, b in pairwise(inputs))
        self.bottom = layer(DOWN[-1], UP[0])
        joined = [UP[0] + DOWN[2], UP[1] + DOWN[1], UP[2] + DOWN[0]]
        self.up = nn.ModuleList(layer(a, b) for a, b in zip(joined, UP[1:], strict=True))
        self.last = nn.Sequential(layer(UP[-1], LAST[0]), layer(LAST[0], LAST[1]))
        self.field = conv(LAST[1], dims, 3, padding=1)
        small_start(self.field)

    def forward(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """The displacement."""
        x = torch.cat([moving, fixed], 1)
        skips = [x]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = self.bottom(skips.pop())
        for up in self.up:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], 1))
        mode = "bilinear" if x.ndim == 4 else "trilinear"
        return F.interpolate(self.field(self.last(x)), scale_factor=2.0, mode=mode)
