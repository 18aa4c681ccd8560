"""Faster R-CNN: a first stage proposes where something may be, a second looks again at each place.

New in the paper: the region proposal network (RPN), a small head on the very maps that the
classifier uses, so that proposals cost next to nothing. Per image:

    maps → RPN: objectness and box of every anchor → NMS, the best 32 → RoIAlign 5x5 of each
         → fully connected head: softmax over classes and background, a box per class

    loss = BCE + smooth L1 of up to 64 sampled anchors  +  CE + smooth L1 of up to 32 regions

both trained together, the proposals taken as given; the four terms' weights, one each, are options.
Sampling does here what the focal loss does in RetinaNet. Against the paper: of the anchors and of
the regions a quarter are objects instead of half; an anchor is an object from an IoU of 0.5 on
instead of 0.7, because nodules are small; and the other anchors are the highest-scoring ones of 512
random ones instead of random ones. Of the proposals, those that overlap a surer one by more than an
IoU of 0.5 are dropped (0.7 in the paper), of the answers by more than 0.3. A region is an object
from an IoU of 0.5 on, as in the paper, and background below 0.3 (0.1 to 0.5 in the paper). True
boxes, exact and jittered, are among the training regions, or the head would see no object before
the RPN finds one.

Images (N, C, H, W) HU → boxes (N, 100, 4) pixels, scores, labels. Shrunk: a small backbone with a
pyramid (the finest map, stride 4, serves both stages), 32 maps, square anchors of six sizes, head
of 64 units.

Ren, He, Girshick & Sun 2015, NIPS; 2017, IEEE TPAMI 39(6), doi 10.1109/TPAMI.2016.2577031.
The survey's text says Fast R-CNN (Girshick 2015), which has no proposal network; it describes this.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.cases import Batch, Facts
from course_lib.methods.detection import Detector
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
from course_lib.parts.detection.pyramid import Pyramid
from course_lib.parts.detection.roi_align import roi_align

SIDES = (5.0, 7.0, 10.0, 14.0, 20.0, 28.0)
"""Of nodules; facts of other data sets name those of their boxes (`proposal_sides`,
`anchor_ratios`)."""
ANCHORS_SAMPLED, REGIONS_SAMPLED = 64, 32
REGION_CODE = torch.tensor([10.0, 10.0, 5.0, 5.0])
"""The head's box codes are divided by 0.1, 0.1, 0.2, 0.2, as in the paper's code: corrections of
proposals are small."""


class FasterRCNN(Detector):
    """`proposals`: regions per image that reach the second stage, more where the data's facts say
    that an image holds many things (`most_boxes`); `context`: the side of the region
    looked at over the side of the proposal; `objectness`, `proposal_box`, `region_class`,
    `region_box`: weights of the terms."""

    learning_rate = 1.5e-3
    overlap = 0.3

    def __init__(
        self,
        proposals: int = 32,
        width: int = 32,
        context: float = 1.5,
        objectness: float = 1.0,
        proposal_box: float = 1.0,
        region_class: float = 1.0,
        region_box: float = 1.0,
    ) -> None:
        super().__init__()
        self.proposals, self.width, self.context = proposals, width, context
        self.objectness, self.proposal_box = objectness, proposal_box
        self.region_class, self.region_box = region_class, region_box

    def build(self, facts: Facts) -> None:
        """One backbone, the proposal network on it, and the head that looks again."""
        self.sides = facts.get("proposal_sides", SIDES)
        self.ratios = facts.get("anchor_ratios", (1.0,))
        self.regions = max(self.proposals, 2 * facts.get("most_boxes", 0))
        width, count = self.width, len(self.sides) * len(self.ratios)
        self.features = Pyramid(facts.channels, facts.window, width, levels=1)
        self.rpn = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
        self.rpn_score = nn.Conv2d(width, count, 1)
        self.rpn_code = nn.Conv2d(width, 4 * count, 1)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(25 * width, 64), nn.ReLU(True), nn.Linear(64, 64), nn.ReLU(True)
        )
        self.head_class = nn.Linear(64, facts.classes + 1)
        self.head_code = nn.Linear(64, 4 * facts.classes)

    def judge(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The finest map, and of each of its anchors (A, 4) the objectness (N, A) and the box code
        (N, A, 4)."""
        fine = self.features(image)[0]
        shared = self.rpn(fine)
        scores = self.rpn_score(shared).permute(0, 2, 3, 1).flatten(1)
        codes = self.rpn_code(shared).permute(0, 2, 3, 1).reshape(len(image), -1, 4)
        return fine, scores, codes, self._anchors(fine).to(image)

    def _anchors(self, fine: Tensor) -> Tensor:
        """All anchors (A, 4) of the finest map."""
        return anchors(*fine.shape[-2:], self.features.cells[0], self.sides, self.ratios)

    def propose(self, image: Tensor, scores: Tensor, codes: Tensor, every: Tensor) -> list[Tensor]:
        """The best boxes (k, 4) inside each image, which carry no gradient."""
        height, width = image.shape[-2:]
        limit = image.new_tensor([height, width, height, width])
        found = []
        for score, code in zip(scores.detach(), codes.detach(), strict=True):
            best = score.topk(min(max(200, 4 * self.regions), len(score))).indices
            boxes = torch.minimum(decode(code[best], every[best]).clamp_min(0), limit)
            whole = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 1
            boxes, kept = boxes[whole], score[best][whole]
            found.append(boxes[suppress(boxes, kept, 0.5, self.regions)])
        return found

    def look(self, fine: Tensor, regions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits (R, 1 + classes), background first, and box codes (R, classes, 4) of all
        regions of all images in one pass of the head."""
        boxes = torch.cat(regions)
        case = torch.cat([torch.full((len(r),), k) for k, r in enumerate(regions)]).to(boxes.device)
        middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        wider = torch.cat([middle - self.context * half, middle + self.context * half], 1)
        seen = self.head(roi_align(fine, wider, case, self.features.cells[0]))
        return self.head_class(seen), self.head_code(seen).view(len(boxes), -1, 4)

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Class and box of the sampled anchors, mean over images; class and box of the sampled
        regions."""
        fine, scores, codes, every = self.judge(batch["image"])
        proposals = self.propose(batch["image"], scores, codes, every)
        first, second = [], []
        for case in range(len(scores)):
            boxes, labels = targets(batch, case)
            first.append(anchor_losses(scores[case], codes[case], every, boxes))
            second.append(regions_to_judge(proposals[case], boxes, labels))
        objectness, proposal_box = (torch.stack(each).mean() for each in zip(*first, strict=True))
        regions, kinds, aims = (list(each) for each in zip(*second, strict=True))
        kind, aim = torch.cat(kinds), torch.cat(aims)
        logits, code = self.look(fine, regions)
        objects = (kind > 0).nonzero()[:, 0]
        code = code[objects, kind[objects] - 1]
        return {
            "objectness": objectness,
            "proposal_box": proposal_box,
            "region_class": F.cross_entropy(logits, kind),
            "region_box": F.smooth_l1_loss(code, aim[objects], reduction="sum")
            / max(1, len(objects)),
        }

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Each proposal, refined and scored for its likeliest class."""
        fine, *judged = self.judge(batch["image"])
        proposals = self.propose(batch["image"], *judged)
        logits, refined = self.look(fine, proposals)
        found, counts = [], [len(each) for each in proposals]
        for boxes, scores, codes in zip(
            proposals, logits.softmax(1).split(counts), refined.split(counts), strict=True
        ):
            best, label = scores[:, 1:].max(1)
            code = codes[torch.arange(len(codes)), label] / REGION_CODE.to(codes)
            boxes = decode(code, boxes)
            keep = suppress_classes(boxes, best, label, self.overlap)
            found.append((boxes[keep], best[keep], label[keep]))
        return padded(found)


def anchor_losses(
    scores: Tensor, codes: Tensor, every: Tensor, boxes: Tensor
) -> tuple[Tensor, Tensor]:
    """Of one image: the cross-entropy of the sampled anchors' objectness, and how far the boxes of
    those on an object are off, per object anchor."""
    found = match(every, boxes, 0.3, 0.5)
    chosen = sampled(found >= 0, found == -1, ANCHORS_SAMPLED, scores.detach())
    truth = (found[chosen] >= 0).float()
    own = chosen[found[chosen] >= 0]
    wanted = encode(boxes[found[own]], every[own])
    distance = F.smooth_l1_loss(codes[own], wanted, reduction="sum", beta=0.1)
    entropy = F.binary_cross_entropy_with_logits(scores[chosen], truth)
    return entropy, distance / max(1, len(own))


def regions_to_judge(
    proposals: Tensor, boxes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of one image: sampled regions (R, 4) among proposals and true boxes, their kinds (R,), 0 for
    background, and the codes (R, 4) that the head should give."""
    candidates = torch.cat([proposals, boxes, jittered(boxes)])
    # The column of zeros stands for background, which there is also where there is no box.
    best, which = F.pad(box_iou(candidates, boxes), (0, 1)).max(1)
    kept = sampled(best >= 0.5, best < 0.3, REGIONS_SAMPLED)
    regions, inside = candidates[kept], best[kept] >= 0.5
    number = which[kept][inside]
    kind = torch.zeros(len(kept), dtype=torch.long, device=boxes.device)
    aim = torch.zeros(len(kept), 4, device=boxes.device)
    kind[inside] = 1 + labels[number]
    aim[inside] = encode(boxes[number], regions[inside])
    return regions, kind, aim * REGION_CODE.to(aim)


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
