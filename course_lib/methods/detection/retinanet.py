"""RetinaNet: one pass, thousands of anchors, and a loss that does not drown in easy background.

New in the paper: the focal loss. One-stage detectors judge every anchor of a dense grid, and some
thousands are background for each one that is not. Each easy one adds little, all together add most.
The focal loss turns the easy ones down, so that *no* negatives need to be left out:

    FL(p) = -α (1 - p)^γ log p   for an object,   -(1 - α) p^γ log(1 - p)   for background
    loss  = (Σ over ALL anchors FL  +  smooth L1 of the positives' boxes) / number of positives

The terms' weights, one each, are the options `classification` and `box`. The last layer starts at
the bias -log((1 - π)/π), π = 0.01, or the first step would be nothing but background. `loss`
chooses the ablations of the paper: `focal` with any γ (γ = 0 is the balanced cross-entropy),
`cross_entropy` (neither γ nor α), `ohem` (cross-entropy of the positives and the three times as
many hardest negatives).

Images (N, C, H, W) HU → boxes (N, 100, 4) pixels, scores (N, 100), labels (N, 100). An anchor is an
object at IoU ≥ 0.5 and background below 0.4; as in later versions, each box also gets its best
anchor, and the subnets have group normalisation (Wu & He 2018): without it the first of a few
hundred steps are lost (validation FROC of two seeds 62 instead of 71%). Of the 300 surest anchors
of all levels (the paper: 1,000 of each, above 0.05), those that overlap a surer one of their class
by more than an IoU of 0.3 are dropped (the paper: 0.5; among crowded blood cells 0.3, 0.4 and 0.5
gave an AP50 of 65 to 66 % on validation). Shrunk: 32 maps instead of 256, a small backbone instead
of ResNet-50, strides 4, 8, 16 instead of 8 to 128 (nodules are small), one ratio of sides instead
of three (nodules are roundish).

Lin, Goyal, Girshick, He & Dollár 2017, ICCV, doi 10.1109/ICCV.2017.324.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.errors import CourseError
from course_lib.methods.detection import Detector
from course_lib.parts.detection.boxes import (
    anchors,
    decode,
    encode,
    match,
    padded,
    suppress_classes,
    targets,
)
from course_lib.parts.detection.pyramid import STRIDES, Pyramid

# Of nodules; facts of other data sets name those of their boxes (`anchor_sides`, `anchor_ratios`).
SIDES = tuple(tuple(1.25 * s * 2 ** (k / 3) for k in range(3)) for s in STRIDES)
PRIOR = 0.01
LOSSES = ("focal", "cross_entropy", "ohem")


def focal_loss(logits: Tensor, truth: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """The focal loss of each logit, same shape; `truth` holds 0 and 1. alpha < 0: no balance."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    miss = torch.where(truth > 0, 1 - logits.sigmoid(), logits.sigmoid())
    weight = torch.where(truth > 0, alpha, 1 - alpha) if alpha >= 0 else 1.0
    return weight * miss**gamma * entropy


def responsible(every: Tensor, batch: Batch) -> Tensor:
    """Which box of its image each anchor is responsible for, (N, A): its number, -1 background, -2
    neither."""
    cases = range(len(batch["boxes"]))
    return torch.stack([match(every, targets(batch, case)[0], 0.4, 0.5) for case in cases])


def subnet(width: int, outputs: int) -> nn.Sequential:
    """Four 3x3 convolutions and one more, the same for all levels: (N, width, h, w) → outputs, at
    first near 0."""
    layers: list[nn.Module] = []
    for _ in range(4):
        convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight)
        layers += [convolution, nn.GroupNorm(8, width), nn.ReLU(inplace=True)]
    last = nn.Conv2d(width, outputs, 3, padding=1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class RetinaNet(Detector):
    """`loss`: focal, cross_entropy or ohem; `gamma`, `alpha` of the focal loss; `classification`,
    `box`: weights of the two terms; `ratios` of the anchors, empty: those that the data's facts
    name, or squares."""

    learning_rate = 1.5e-3
    overlap = 0.3

    def __init__(
        self,
        loss: str = "focal",
        gamma: float = 2.0,
        alpha: float = 0.25,
        classification: float = 1.0,
        box: float = 1.0,
        width: int = 32,
        ratios: tuple[float, ...] = (),
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise CourseError(f"`loss` is one of {', '.join(LOSSES)}, not {loss!r}.")
        self.loss, self.gamma, self.alpha = loss, gamma, alpha
        self.classification, self.box = classification, box
        self.width, self.ratios = width, ratios

    def build(self, facts: Facts) -> None:
        """The pyramid and its two subnets, the class subnet starting at the prior."""
        self.sides = facts.get("anchor_sides", SIDES)
        self.shapes = self.ratios or facts.get("anchor_ratios", (1.0,))
        count = max(map(len, self.sides)) * len(self.shapes)
        self.features = Pyramid(facts.channels, facts.window, self.width)
        self.class_subnet = subnet(self.width, count * facts.classes)
        self.box_subnet = subnet(self.width, count * 4)
        nn.init.constant_(self.class_subnet[-1].bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Class logits (N, A, classes), box codes (N, A, 4) and anchors (A, 4) of all levels."""
        logits, codes, every = [], [], []
        levels = zip(self.features(image), self.features.cells, self.sides, strict=True)
        for level, cells, sides in levels:
            own = len(sides) * len(self.shapes)  # a level may have fewer than the subnets give
            for subnet_, parts, size in (
                (self.class_subnet, logits, self.facts.classes),
                (self.box_subnet, codes, 4),
            ):
                found = subnet_(level)[:, : own * size].permute(0, 2, 3, 1)
                parts.append(found.reshape(len(image), -1, size))
            every.append(anchors(*level.shape[-2:], cells, sides, self.shapes))
        return torch.cat(logits, 1), torch.cat(codes, 1), torch.cat(every).to(image)

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Classes over all anchors, boxes over the positives, both per positive anchor."""
        logits, codes, every = self(batch["image"])
        found = responsible(every, batch)
        truth, distance = torch.zeros_like(logits), logits.new_zeros(())
        for case in range(len(logits)):
            anchor = (found[case] >= 0).nonzero()[:, 0]
            number = found[case, anchor]
            truth[case, anchor, batch["labels"][case, number]] = 1
            wanted = encode(batch["boxes"][case, number], every[anchor])
            distance = distance + F.smooth_l1_loss(
                codes[case, anchor], wanted, reduction="sum", beta=0.1
            )
        positives = truth.sum().clamp_min(1)
        classes = self.judged(logits, truth, (found != -2)[..., None])
        return {"classification": classes / positives, "box": distance / positives}

    def judged(self, logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """The class loss: the sum over the anchors that count; (N, A, classes) logits and truth."""
        if self.loss == "focal":
            return (known * focal_loss(logits, truth, self.gamma, self.alpha)).sum()
        loss = known * focal_loss(logits, truth, 0.0, -1.0)
        if self.loss == "ohem":
            hard = int(3 * truth.sum().clamp_min(1))
            return loss[truth > 0].sum() + loss[truth == 0].topk(hard).values.sum()
        return loss.sum()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The boxes of the 300 surest anchors, thinned out by non-maximum suppression."""
        logits, codes, every = self(batch["image"])
        found = []
        for scores, code in zip(logits.sigmoid(), codes, strict=True):
            best, place = scores.flatten().topk(min(300, scores.numel()))
            anchor, label = place // self.facts.classes, place % self.facts.classes
            boxes = decode(code[anchor], every[anchor])
            keep = suppress_classes(boxes, best, label, self.overlap)
            found.append((boxes[keep], best[keep], label[keep]))
        return padded(found)
