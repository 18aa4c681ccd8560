"""Attention-based multiple-instance learning: a bag of patches, one label, and who decided.

New in the paper: an image is a bag of patches of which at least one shows what the label says. The
bag's features are a weighted mean, whose weights are learnt and sum to one:

    h_i = encoder(patch i),   a_i = softmax_i(wᵀ [tanh(V h_i) · sigmoid(U h_i)])
    z = Σ_i a_i h_i,   loss = CE(linear(z))

so the weights tell which patches mattered. `pooling="max"` is the older way and the control: each
patch is scored, the highest score is the bag's. Patches of 16 pixels, every 8, of images
(N, 1, H, W) HU: 49 instances of 64 x 64 pixels. The map spreads the weights (or the patches'
probabilities) over their patches; over its maximum it is compared with outlines, which training
never sees.

Ilse, Tomczak & Welling 2018, Attention-based deep multiple instance learning, ICML,
arXiv:1802.04712. Shrunk: an encoder of three convolutions.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method
from course_lib.parts.frontier.reader import seen

PATCH, EVERY, FEATURES = 16, 8, 48


class AttentionMIL(Method):
    """A bag of patches.

    Arguments:
        pooling: `attention` or `max`.
    Raises CourseError for another pooling.
    """

    learning_rate = 2e-3

    def __init__(self, pooling: str = "attention") -> None:
        super().__init__()
        if pooling not in ("attention", "max"):
            raise CourseError(f"Pooling is 'attention' or 'max', not {pooling!r}.")
        self.pooling = pooling

    def build(self, facts: Facts) -> None:
        """The encoder, the gated attention, and the bag's classifier."""

        def block(before: int, after: int) -> list[nn.Module]:
            conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
            return [conv, nn.BatchNorm2d(after), nn.ReLU()]

        self.encoder = nn.Sequential(
            *block(1, 12), nn.MaxPool2d(2), *block(12, 24), nn.MaxPool2d(2), *block(24, FEATURES)
        )
        self.content, self.gate = nn.Linear(FEATURES, 24), nn.Linear(FEATURES, 24)
        self.weigh = nn.Linear(24, 1)
        self.head = nn.Linear(FEATURES, 2)
        if self.pooling == "max":
            for layer in (self.content, self.gate, self.weigh):
                layer.requires_grad_(False)

    def instances(self, image: Tensor) -> Tensor:
        """Images (N, 1, H, W) → features of their patches (N, I, FEATURES)."""
        patches = image.unfold(2, PATCH, EVERY).unfold(3, PATCH, EVERY)
        count = patches.shape[2] * patches.shape[3]
        flat = patches.reshape(-1, 1, PATCH, PATCH)
        return self.encoder(flat).mean((2, 3)).unflatten(0, (len(image), count))

    def attention(self, features: Tensor) -> Tensor:
        """The weights a_i (N, I); each row sums to 1."""
        gated = torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features))
        return self.weigh(gated)[..., 0].softmax(1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores (N, 2) and what each patch weighs or says (N, I)."""
        features = self.instances(image)
        if self.pooling == "attention":
            weights = self.attention(features)
            return self.head(torch.einsum("ni,nif->nf", weights, features)), weights
        scores = self.head(features)
        odds = scores[..., 1] - scores[..., 0]
        best = odds.argmax(1)
        return scores[torch.arange(len(image), device=image.device), best], odds.sigmoid()

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy of the bag's label."""
        scores, _ = self(seen(batch["image"], self.facts.window))
        yield "network", F.cross_entropy(scores, batch["label"])

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The bag's probability, and the patches' weights over their maximum as a map."""
        image = seen(batch["image"], self.facts.window)
        scores, weights = self(image)
        height, width = image.shape[2:]
        across = (width - PATCH) // EVERY + 1
        small = weights.view(len(image), 1, -1, across)
        small = F.pad(small, (1, 1, 1, 1))  # patches overlap: a pixel hears from all of its own
        cells = F.avg_pool2d(small, 2, 1)
        heat = F.interpolate(cells, (height, width), mode="bilinear", align_corners=False)
        heat = heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-12)
        return {"probability": scores.softmax(1), "map": heat}
