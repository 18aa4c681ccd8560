"""Fine-tuning: weights from photographs are where training starts, not where it ends (4.1).

    first stage: only a new head learns, the network is frozen;
    second stage: the last `depth` of seven groups of blocks learn too, 30 times more slowly

Cross-entropy throughout. Images (N, C, H, W) in [0, 1] by their window, grey ones in three equal
channels, enlarged to 96 pixels; of a volume, eight slices, whose features are averaged. Out come
probabilities (N, classes). Statistics of batch normalisation stay ImageNet's: batches of sixteen
would blur them.

Controls with the same network and the same number of steps: `weights="random"` learns everything
from scratch; `weights="near"` starts from scratch too, but first learns a related question of the
same lungs: is there a nodule at all? (It needs the lung without nodule, `background`.)

Shrunk: EfficientNet-Lite0 (4.7 million parameters, real ImageNet weights) instead of AlexNet; Adam.

Source: Tajbakhsh et al. 2016, Convolutional neural networks for medical image analysis: full
training or fine tuning? IEEE TMI 35(5):1299-1312, doi 10.1109/TMI.2016.2535302; before it Yosinski
et al. 2014, How transferable are features in deep neural networks? NIPS, arXiv:1411.1792.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Loss, Stage
from course_lib.methods.classification import Classifier
from course_lib.parts.classification.backbone import as_pictures
from course_lib.parts.efficientnet_lite import FEATURES, GROUPS, EfficientNetLite0
from course_lib.parts.intensity import unit_range
from course_lib.parts.pretrained import efficientnet_lite0
from course_lib.parts.start import channels_last

ALL = Stage("network", 2, ("network",))
STAGES = {
    "imagenet": (Stage("head", 1, ("head",)), ALL),
    "random": (ALL,),
    "near": (Stage("source", 1, ("source",)), ALL),
}
"""Weights to start from → the stages of the training."""


class FineTuning(Classifier):
    """A pre-trained network with a new head.

    Arguments:
        weights: `imagenet`; `random`: the scratch control; `near`: a near source instead.
        depth: how many of the seven groups learn, counted from the end; 0: the head alone.
    Raises CourseError for other weights or depths.
    """

    learning_rate = 3e-4  # of the network; the head's is ten times as high
    schedule = "stage"  # the head learns fast at first, then all starts anew at the full rates

    def __init__(self, weights: str = "imagenet", depth: int | None = None) -> None:
        super().__init__()
        if weights not in STAGES:
            raise CourseError(f"There are no weights {weights!r}; there are: {', '.join(STAGES)}.")
        depth = (3 if weights == "imagenet" else len(GROUPS)) if depth is None else depth
        if not 0 <= depth <= len(GROUPS):
            raise CourseError(f"The depth is 0 to {len(GROUPS)}, not {depth}.")
        self.weights, self.depth, self.stages = weights, depth, STAGES[weights]

    def build(self, facts: Facts) -> None:
        """The network, of which the first groups are frozen for good, and its heads."""
        known = self.weights == "imagenet"
        self.network = efficientnet_lite0() if known else EfficientNetLite0()
        self.network._fc = nn.Identity()
        # The order of memory that processors like for depthwise kernels: a step takes a third less.
        channels_last(self.network)
        if not known:
            for layer in self.network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.momentum = 0.1  # ImageNet's training was longer
        self.network.requires_grad_(False)
        for part in self.learning():
            part.requires_grad_(True)
        self.head = nn.Linear(FEATURES, facts.classes)
        self.source = nn.Linear(FEATURES, 2) if self.weights == "near" else None

    def learning(self) -> list[nn.Module]:
        """The parts of the network that may learn: the last `depth` groups and what follows."""
        if self.depth == 0:
            return []
        if self.depth == len(GROUPS):
            return [self.network]
        first = self.network.ends[-self.depth - 1]
        return [*self.network._blocks[first:], self.network._conv_head, self.network._bn1]

    def begin(self, stage: str, train: Cases) -> None:
        """Raises CourseError when there is no near source to learn from."""
        if stage == "source" and "background" not in train.tensors:
            raise CourseError(
                "The near source asks whether there is a nodule; these cases have no `background` "
                "without one. Use weights='imagenet' or 'random'."
            )

    def train(self, mode: bool = True) -> "FineTuning":
        """ImageNet's statistics stay, also where weights learn; a network from scratch has its own
        to find."""
        super().train(mode)
        if self.weights == "imagenet":
            self.network.eval()
        return self

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """The head alone, or behind the freed part of the network; so the near source's head."""
        freed = [p for part in self.learning() for p in part.parameters()]
        players = {"head": self.head.parameters(), "network": [*freed, *self.head.parameters()]}
        if self.source is not None:
            players["source"] = [*freed, *self.source.parameters()]
        return players

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """As for all; the new head, the last two parameters, learns faster."""
        body, head = parameters[:-2], parameters[-2:]
        scratch = self.weights != "imagenet"
        rate = 1e-3 if scratch else self.learning_rate
        groups = [{"params": head, "lr": 1e-3 if scratch else 10 * self.learning_rate}]
        groups += [{"params": body, "lr": rate}] if body else []
        return torch.optim.AdamW(groups, weight_decay=self.decay)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, …) in the window's unit → (N, 1280)."""
        pictures, slices = as_pictures(unit_range(image, self.facts.window))
        return self.network.features(pictures).unflatten(0, (-1, slices)).mean(1)

    def losses(self, batch: Batch) -> Iterator[Loss]:
        """Cross-entropy; on the near source, of "with nodule" against "without"."""
        if self.source is not None and self.stage == "source":
            half = len(batch["image"]) // 2
            image = torch.cat([batch["image"][:half], batch["background"][half:]])
            label = (torch.arange(len(image), device=image.device) < half).long()
            yield self.stage, F.cross_entropy(self.source(self.features(image)), label)
        else:
            scores = self.head(self.dropped(self.features(batch["image"])))
            yield self.stage, F.cross_entropy(scores, batch["label"])

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        return self.head(self.features(batch["image"])).softmax(1)
