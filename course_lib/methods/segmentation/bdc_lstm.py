"""kU-Net + BDC-LSTM: a 2D network sees each slice, a recurrent one reads the stack like a book.

New in the paper: slices of a stack are far apart, so 3D filters mix what does not belong together.
Instead a 2D network extracts the features of every slice, and ConvLSTMs carry context along z, one
upwards and one downwards (BDC: bi-directional convolutional):

    fₖ = kU-Net(slice k),   h↑ₖ = LSTM(fₖ, h↑ₖ₋₁),   h↓ₖ = LSTM(fₖ, h↓ₖ₊₁),   scores = W [h↑ₖ, h↓ₖ]

kU-Net with k = 2: a U-Net on the slice at half the resolution hands its maps to one at full
resolution. The BDC-LSTMs are stacked like a U: one at half the resolution, then one at full. Loss:
pixel cross-entropy. Training is decoupled: first kU-Net alone, then the LSTMs on its frozen
features, last both. Input and output (N, 1, D, H, W), any depth.

Shrunk: U-Nets of 8 to 32 maps, states of 8 and 4. The survey has the LSTM run along all three
axes; that is PyraMiD-LSTM, this one goes along z only. The rate falls over the whole training: no
stage puts a network that has learnt back to the full rate. kU-Net alone has half of the steps.

Chen, Yang, Zhang, Alber & Chen 2016, NeurIPS, doi 10.48550/arXiv.1609.01006.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.base import Loss, Stage
from course_lib.methods.segmentation import Segmenter
from course_lib.parts.segmentation.conv_lstm import BiConvLSTM
from course_lib.parts.segmentation.losses import damped_cross_entropy
from course_lib.parts.segmentation.stacks import from_slices, standardise, to_slices
from course_lib.parts.start import channels_last
from course_lib.parts.u_net import UNetwork, padded


class KUNet(nn.Module):
    """Two nested U-Nets: slices (N, 1, H, W) → features (N, 8, H, W); sides divide by 8."""

    features = 8

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.coarse = UNetwork(1, 1, (8, 16, 32))
        self.coarse.head = nn.Identity()  # its maps are handed on, not its scores
        self.fine = UNetwork(1, classes, (self.features, 16, 32), extra=8)

    def forward(self, image: Tensor) -> Tensor:
        """Features of each pixel."""
        half = F.avg_pool2d(image, 2)
        return self.fine.features(image, extra=self.coarse.features(half))


class BDCLSTM(nn.Module):
    """Features of a stack (N, C, D, H, W) → class scores (N, classes, D, H, W)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.below = BiConvLSTM(features, 8)
        self.above = BiConvLSTM(features + 16, 4)
        self.head = nn.Conv3d(8, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Down a level, along z, up again, along z."""
        deep = self.below(F.avg_pool3d(features, (1, 2, 2)))
        deep = F.interpolate(deep, features.shape[2:], mode="nearest")
        return self.head(self.above(torch.cat([features, deep], dim=1)))


class Reader(nn.Module):
    """Both networks: (N, 1, D, H, W) → class scores with and without context along z."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.slices = KUNet(classes)
        channels_last(self.slices)
        self.stack = BDCLSTM(KUNet.features, classes)

    def forward(self, stack: Tensor, context: bool = True) -> tuple[Tensor | None, Tensor]:
        """(scores of the LSTMs, scores of the slices alone)."""
        height, width = stack.shape[-2:]
        maps = self.slices(to_slices(padded(stack, (8, 8))))
        alone = from_slices(self.slices.fine.head(maps), len(stack))[..., :height, :width]
        if not context:
            return None, alone
        maps = from_slices(maps, len(stack))[..., :height, :width]
        return self.stack(padded(maps, (2, 2)))[..., :height, :width], alone


class KUNetBDCLSTM(Segmenter):
    """The two networks. `context=False` leaves kU-Net alone, with all the steps."""

    network: Reader

    def __init__(self, context: bool = True) -> None:
        super().__init__()
        self.context = context
        self.stages = (
            Stage("slices", 5, ("slices",)),
            Stage("stack", 3, ("stack",)),
            Stage("both", 2, ("both",)),
        )[: None if context else 1]

    def build(self, facts: Facts) -> None:
        """Both networks; without context the second is missing."""
        self.network = Reader(facts.classes)
        if not self.context:
            del self.network.stack

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """One network after the other, then both."""
        whole = self.network
        if not self.context:
            return {"slices": whole.slices.parameters()}
        return {
            "slices": whole.slices.parameters(),
            "stack": whole.stack.parameters(),
            "both": whole.parameters(),
        }

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """Cross-entropy of whichever answers the stage trains."""
        read, alone = self.network(standardise(batch), self.stage != "slices")
        learning = {"slices": (alone,), "stack": (read,), "both": (alone, read)}[self.stage]
        first, *others = (
            damped_cross_entropy(scores.float(), batch["label"]) for scores in learning
        )
        yield self.stage, sum(others, first)

    def scores(self, batch: Batch) -> Tensor:
        """Class scores: with context once the LSTMs have been trained."""
        read, alone = self.network(standardise(batch), self.stage != "slices")
        return (alone if read is None else read).float()
