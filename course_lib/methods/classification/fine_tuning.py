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

from course_lib.cases import Batch, Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Stage
from course_lib.parts.classification.backbone import as_pictures
from course_lib.parts.efficientnet_lite import FEATURES, GROUPS, EfficientNetLite0
from course_lib.parts.intensity import unit_range
from course_lib.parts.pretrained import efficientnet_lite0


class FineTuning(Method):
    """A pre-trained network with a new head.

    Arguments:
        weights: `imagenet`; `random`: the scratch control; `near`: a near source instead.
        depth: how many of the seven groups learn, counted from the end; 0: the head alone.
    Raises CourseError for other weights or depths.
    """

    learning_rate = 3e-4  # of the network; the head's is ten times as high

    def __init__(self, weights: str = "imagenet", depth: int | None = None) -> None:
        super().__init__()
        depth = (3 if weights == "imagenet" else len(GROUPS)) if depth is None else depth
        if weights not in ("imagenet", "random", "near") or not 0 <= depth <= len(GROUPS):
            raise CourseError(
                f"Weights are 'imagenet', 'random' or 'near' and depth 0 to {len(GROUPS)}, not "
                f"{weights!r} and {depth}."
            )
        self.weights, self.depth = weights, depth
        self.network = efficientnet_lite0() if weights == "imagenet" else EfficientNetLite0()
        self.network._fc = nn.Identity()
        # The order of memory that processors like for depthwise kernels: a step takes a third less.
        self.network.to(memory_format=torch.channels_last)
        self.head, self.source = nn.Linear(FEATURES, 2), nn.Linear(FEATURES, 2)
        if weights == "imagenet":
            self.stages = (Stage("head", 1), Stage("tune", 2))
        elif weights == "near":
            self.stages = (Stage("source", 1), Stage("tune", 2))
        if weights != "imagenet":
            for layer in self.network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.momentum = 0.1  # ImageNet's training was longer
        if weights != "near":
            del self.source
        self.network.requires_grad_(False)
        for part in self.learning():
            part.requires_grad_(True)

    def learning(self) -> list[nn.Module]:
        """The parts of the network that may learn: the last `depth` groups and what follows."""
        if self.depth == 0:
            return []
        if self.depth == len(GROUPS):
            return [self.network]
        first = self.network.ends[-self.depth - 1]
        return [*self.network._blocks[first:], self.network._conv_head, self.network._bn1]

    def prepare(self, train: Cases) -> None:
        """Another number of classes needs another head."""
        classes = int(train["classes"][0])
        if classes != self.head.out_features:
            self.head = nn.Linear(FEATURES, classes).to(train.device)
        if self.weights == "near" and "background" not in train.tensors:
            raise CourseError(
                "The near source asks whether there is a nodule; these cases have no `background` "
                "without one. Use weights='imagenet' or 'random'."
            )

    def train(self, mode: bool = True) -> "FineTuning":
        """ImageNet's statistics stay; only a network from scratch has its own to find."""
        super().train(mode)
        if self.weights == "imagenet":
            self.network.eval()
        return self

    def players(self) -> dict[str, Iterable[nn.Parameter]]:
        """The head, and from the second stage on the freed part of the network."""
        own = [] if self.stage == "head" else [p for m in self.learning() for p in m.parameters()]
        head = self.source if self.stage == "source" else self.head
        return {"network": [*own, *head.parameters()]}

    def optimiser(self, player: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam; the new head, the last two parameters, learns faster."""
        body, head = parameters[:-2], parameters[-2:]
        scratch = self.weights != "imagenet"
        rate = 1e-3 if scratch else self.learning_rate
        groups = [{"params": head, "lr": 1e-3 if scratch else 10 * self.learning_rate}]
        return torch.optim.Adam([*groups, {"params": body, "lr": rate}] if body else groups)

    def features(self, unit: Tensor) -> Tensor:
        """(N, C, …) in [0, 1] → (N, 1280)."""
        pictures, slices = as_pictures(unit)
        learning = torch.is_grad_enabled() and self.stage != "head"
        with torch.set_grad_enabled(learning):
            found = self.network.features(pictures)
        return found.unflatten(0, (-1, slices)).mean(1)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Cross-entropy; on the near source, of "with nodule" against "without"."""
        if self.stage == "source":
            half = len(batch["image"]) // 2
            with_nodule = unit_range(batch)[:half]
            without = unit_range(batch, "background")[half:]
            unit = torch.cat([with_nodule, without])
            label = (torch.arange(len(unit), device=unit.device) < half).long()
            yield "network", F.cross_entropy(self.source(self.features(unit)), label)
            return
        yield (
            "network",
            F.cross_entropy(self.head(self.features(unit_range(batch))), batch["label"]),
        )

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (N, classes)."""
        return self.head(self.features(unit_range(batch))).softmax(1)
