"""U-Net: the decoder sees the encoder's maps again, so that *what* and *where* come together.

New in the paper: a contracting and an expanding path of equal length, joined at every level by
concatenating features (N, C, H, W). It learns from a few images.

    loss = −mean w(x) log p(x),   w(x) = w_c(x) + w₀ exp(−(d₁(x) + d₂(x))² / 2σ²)

with w_c a weight of the true class (here one over the root of its frequency) and d₁, d₂ the
distances to the nearest and second nearest object, so that narrow gaps count more; w₀ = 0 by
default, because tissues touch everywhere, and w_c = 1 where it is not. Input (N, channels, D, H,
W), each slice by itself.

Options: `skips=False` cuts the skips; `loss` takes another loss; `dims=3` makes it the 3D U-Net;
`border` is w₀. Shrunk: 12 to 96 maps in four levels instead of 64 to 1024
in five. Same padding instead of valid convolutions and cropping, and batch normalisation (2015 had
none). As in the paper, what it learns from is bent anew each time.

Ronneberger, Fischer & Brox 2015, MICCAI, doi 10.1007/978-3-319-24574-4_28.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from course_lib.cases import Facts
from course_lib.errors import CourseError
from course_lib.methods.segmentation import Segmenter
from course_lib.parts.segmentation.losses import LOSSES, known_loss
from course_lib.parts.segmentation.stacks import from_slices, to_slices
from course_lib.parts.start import channels_last
from course_lib.parts.u_net import UNetwork


class SliceBySlice(nn.Module):
    """A 2D network over all slices of a stack: (N, C, D, H, W) → (N, C', D, H, W)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        channels_last(network)  # a sixth faster

    def forward(self, stack: Tensor) -> Tensor:
        """Slices never see one another."""
        return from_slices(self.network(to_slices(stack)), len(stack))


class UNet(Segmenter):
    """The U-Net.

    Arguments:
        widths: maps of each level. skips: False cuts them. dims: 2, slice by slice, or 3.
        loss: a name in `parts.segmentation.losses.LOSSES`. border: w₀, 0 for the loss alone.
    Raises CourseError for another loss or other dims.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (12, 24, 48, 96),
        skips: bool = True,
        loss: str = "damped_cross_entropy",
        dims: int = 2,
        border: float = 0.0,
    ) -> None:
        super().__init__()
        if dims not in (2, 3):
            raise CourseError(f"A U-Net here has 2 or 3 dimensions, not {dims!r}.")
        self.widths, self.skips, self.dims = tuple(widths), skips, dims
        self.loss_name, self.border = known_loss(loss), border

    def build(self, facts: Facts) -> None:
        """The network in 2D, run slice by slice, or in 3D."""
        network = UNetwork(facts.channels, facts.classes, self.widths, self.dims, self.skips)
        self.network = network if self.dims == 3 else SliceBySlice(network)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The chosen loss; with a border weight, the paper's weighted cross-entropy."""
        if not self.border:
            return LOSSES[self.loss_name](scores, labels)
        weights = border_weights(labels, self.border)
        return (weights * F.cross_entropy(scores, labels[:, 0].long(), reduction="none")).mean()


def border_weights(labels: Tensor, strength: float = 10.0, sigma: float = 5.0) -> Tensor:
    """w(x) for labels (N, 1, D, H, W): (N, D, H, W), 1 but in gaps between objects of a slice.

    An object is a connected part of one label; `sigma` is in pixels.
    """
    result = np.ones((len(labels), *labels.shape[2:]), np.float32)
    for case, z in np.ndindex(*result.shape[:2]):
        one = labels[case, 0, z].cpu().numpy()
        parts = [
            number == k
            for label in np.unique(one[one > 0])
            for number, count in [ndimage.label(one == label)]
            for k in range(1, count + 1)
        ]
        if len(parts) < 2:
            continue
        distances = np.sort([ndimage.distance_transform_edt(~part) for part in parts], axis=0)
        near = np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))
        result[case, z] += strength * near * (one == 0)
    return torch.from_numpy(result).to(labels.device)
