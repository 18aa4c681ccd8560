"""Faster R-CNN: a first stage proposes where something may be, a second looks again at each place.

New in the paper: the region proposal network (RPN), a small head on the very maps that the
classifier uses, so that proposals cost next to nothing. Per image:

    maps → RPN: objectness and box of every anchor → NMS, the best 32 → RoIAlign 5x5 of each
         → fully connected head: softmax over classes and background, a box per class

    loss = BCE + smooth L1 of up to 64 sampled anchors  +  CE + smooth L1 of up to 32 regions

both trained together, the proposals taken as given. Of the anchors and of the regions a quarter
are objects: sampling does here what the focal loss does in RetinaNet. True boxes, exact and
jittered, are among the training regions, or the head would see no object before the RPN finds one.

Images (N, C, H, W) HU → boxes (N, 100, 4) pixels, scores, labels. `seconds` keeps the time spent in
proposals and in the head. Shrunk: a small backbone with a pyramid (the finest map, stride 4,
serves both stages), 32 maps, square anchors of six sizes, head of 64 units.

Ren, He, Girshick & Sun 2015, NIPS; 2017, IEEE TPAMI 39(6), doi 10.1109/TPAMI.2016.2577031.
The survey's text says Fast R-CNN (Girshick 2015), which has no proposal network; it describes this.
"""

import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method
from course_lib.metrics.detection import box_iou
from course_lib.parts.detection.boxes import (
    anchors,
    decode,
    encode,
    match,
    padded,
    suppress,
    suppress_classes,
    targets,
)
from course_lib.parts.detection.pyramid import STRIDES, Pyramid
from course_lib.parts.detection.roi_align import roi_align

SIDES = (5.0, 7.0, 10.0, 14.0, 20.0, 28.0)
ANCHORS_SAMPLED, REGIONS_SAMPLED = 64, 32
REGION_CODE = torch.tensor([10.0, 10.0, 5.0, 5.0])
"""The head's box codes are divided by 0.1, 0.1, 0.2, 0.2, as in the paper's code: corrections of
proposals are small."""


class FasterRCNN(Method):
    """`proposals`: regions per image that reach the second stage; `context`: the side of the region
    looked at over the side of the proposal."""

    learning_rate = 1.5e-3

    def __init__(self, proposals: int = 32, width: int = 32, context: float = 1.5) -> None:
        super().__init__()
        self.proposals, self.width, self.context = proposals, width, context
        self.seconds = {"proposals": 0.0, "head": 0.0}
        self._build(1, 1)

    def _build(self, channels: int, classes: int) -> None:
        width, count = self.width, len(SIDES)
        self.classes, self.features = classes, Pyramid(channels, width, levels=1)
        self.rpn = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
        self.objectness = nn.Conv2d(width, count, 1)
        self.deltas = nn.Conv2d(width, 4 * count, 1)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(25 * width, 64), nn.ReLU(True), nn.Linear(64, 64), nn.ReLU(True)
        )
        self.kind, self.refine = nn.Linear(64, classes + 1), nn.Linear(64, 4 * classes)

    def prepare(self, train: Cases) -> None:
        """Builds the network anew where there are more channels or classes than one."""
        channels, classes = train["image"].shape[1], int(train["classes"][0])
        if (channels, classes) != (1, 1):
            self._build(channels, classes)
            self.to(train.device)

    def propose(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, list[Tensor]]:
        """The finest map, objectness (N, A), codes (N, A, 4), anchors (A, 4), and each image's
        proposals (k, 4) inside the image, which carry no gradient."""
        fine = self.features(image)[0]
        shared = self.rpn(fine)
        objectness = self.objectness(shared).permute(0, 2, 3, 1).flatten(1)
        codes = self.deltas(shared).permute(0, 2, 3, 1).reshape(len(image), -1, 4)
        every = anchors(*fine.shape[-2:], STRIDES[0], SIDES).to(image)
        height, width = image.shape[-2:]
        limit = image.new_tensor([height, width, height, width])
        found = []
        for scores, code in zip(objectness.detach(), codes.detach(), strict=True):
            best = scores.topk(min(200, len(scores))).indices
            boxes = torch.minimum(decode(code[best], every[best]).clamp_min(0), limit)
            whole = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 1
            boxes, kept = boxes[whole], scores[best][whole]
            found.append(boxes[suppress(boxes, kept, 0.5, self.proposals)])
        return fine, objectness, codes, every, found

    def look(self, fine: Tensor, regions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits (R, 1 + classes), background first, and box codes (R, classes, 4) of all
        regions of all images in one pass of the head."""
        boxes = torch.cat(regions)
        case = torch.cat([torch.full((len(r),), k) for k, r in enumerate(regions)]).to(boxes.device)
        middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        wider = torch.cat([middle - self.context * half, middle + self.context * half], 1)
        seen = self.head(roi_align(fine, wider, case, STRIDES[0]))
        return self.kind(seen), self.refine(seen).view(-1, self.classes, 4)

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Both stages' losses on sampled anchors and sampled regions."""
        fine, objectness, codes, every, proposals = self.propose(batch["image"])
        first, regions, kinds, wanted = objectness.new_zeros(()), [], [], []
        for case in range(len(objectness)):
            boxes, labels = targets(batch, case)
            found = match(every, boxes, 0.3, 0.5)
            wrong = objectness[case].detach()
            chosen = sampled(found >= 0, found == -1, ANCHORS_SAMPLED, wrong)
            truth = (found[chosen] >= 0).float()
            first = first + F.binary_cross_entropy_with_logits(objectness[case, chosen], truth)
            own = chosen[found[chosen] >= 0]
            distance = F.smooth_l1_loss(
                codes[case, own], encode(boxes[found[own]], every[own]), reduction="sum", beta=0.1
            )
            first = first + distance / max(1, len(own))
            candidates = torch.cat([proposals[case], boxes, jittered(boxes)])
            overlap = box_iou(candidates, boxes)
            best, which = (
                overlap.max(1) if len(boxes) else (candidates.new_zeros(len(candidates)),) * 2
            )
            kept = sampled(best >= 0.5, best < 0.3, REGIONS_SAMPLED)
            regions.append(candidates[kept])
            inside = best[kept] >= 0.5
            kind = torch.zeros(len(kept), dtype=torch.long, device=boxes.device)
            aim = torch.zeros(len(kept), 4, device=boxes.device)
            if len(boxes):
                number = which[kept][inside]
                kind[inside] = 1 + labels[number]
                aim[inside] = encode(boxes[number], candidates[kept][inside])
            kinds.append(kind)
            wanted.append(aim * REGION_CODE.to(aim))
        logits, refined = self.look(fine, regions)
        kind, aim = torch.cat(kinds), torch.cat(wanted)
        objects = (kind > 0).nonzero()[:, 0]
        second = F.cross_entropy(logits, kind) + F.smooth_l1_loss(
            refined[objects, kind[objects] - 1], aim[objects], reduction="sum"
        ) / max(1, len(objects))
        yield "network", first / len(objectness) + second

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Each proposal, refined and scored for its likeliest class."""
        start = time.perf_counter()
        fine, _, _, _, proposals = self.propose(batch["image"])
        middle = time.perf_counter()
        logits, refined = self.look(fine, proposals)
        found, counts = [], [len(each) for each in proposals]
        for boxes, scores, codes in zip(
            proposals, logits.softmax(1).split(counts), refined.split(counts), strict=True
        ):
            best, label = scores[:, 1:].max(1)
            code = codes[torch.arange(len(codes)), label] / REGION_CODE.to(codes)
            boxes = decode(code, boxes)
            keep = suppress_classes(boxes, best, label, 0.3)
            found.append((boxes[keep], best[keep], label[keep]))
        self.seconds["proposals"] += middle - start
        self.seconds["head"] += time.perf_counter() - middle
        return padded(found)


def jittered(boxes: Tensor, copies: int = 4) -> Tensor:
    """Copies of boxes (K, 4), moved and scaled by up to 15 % of their sides, (copies · K, 4)."""
    boxes = boxes.repeat(copies, 1)
    moved = 0.3 * torch.rand(len(boxes), 4, device=boxes.device) - 0.15
    return decode(moved, boxes)


def sampled(positive: Tensor, negative: Tensor, count: int, scores: Tensor | None = None) -> Tensor:
    """Random numbers of at most `count` entries, a quarter of them positive, 12 negative at least.

    With `scores` the negatives are the highest of 512 random ones: most of an image is so easily
    background that a random sample would teach nothing.
    """
    objects, others = positive.nonzero()[:, 0], negative.nonzero()[:, 0]
    objects = objects[torch.randperm(len(objects))[: count // 4].to(objects.device)]
    wanted = min(count - len(objects), max(12, 3 * len(objects)), len(others))
    pool = wanted if scores is None else 512
    others = others[torch.randperm(len(others))[:pool].to(others.device)]
    if scores is not None:
        others = others[scores[others].topk(wanted).indices]
    return torch.cat([objects, others])
