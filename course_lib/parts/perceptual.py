"""Distance in the feature space of a frozen network."""

import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.parts.efficientnet_lite import EfficientNetLite0


class PerceptualLoss(nn.Module):
    """Mean squared distance of deep features: mean (φ(x) - φ(y))².

    Johnson, Alahi & Fei-Fei 2016, ECCV, doi 10.1007/978-3-319-46475-6_43. The paper's VGG needs
    torchvision; here φ are the maps of EfficientNet-Lite0 after a group of blocks. Each channel
    is divided by its spread in the first targets that are seen, because the raw maps are not
    rectified and their scale is arbitrary; then for good, so that the loss's weight stands still.

    Arguments:
        network: φ with trained weights; it is frozen.
        group: how many of the seven groups of blocks to go through; 3 sees one eighth of the
            resolution, like VGG's fourth group of layers.
    """

    spread: Tensor | None

    def __init__(self, network: EfficientNetLite0, group: int = 3) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.group = group
        self.register_buffer("spread", None, persistent=False)

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Stays in evaluation mode: the frozen network's statistics must not move."""
        return super().train(False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Images in [0, 1], (N, 1 or 3, H, W) → a scalar."""
        seen, wanted = (
            self.network.maps(EfficientNetLite0.normalise(x), self.group)[-1]
            for x in (prediction, target)
        )
        if self.spread is None:
            self.spread = wanted.detach().std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-3)
        return F.mse_loss(seen / self.spread, wanted / self.spread)
