"""What detectors with anchors share: anchors, box code, matching, suppression, padded answers.

Boxes are (…, 4) floats: top, left, bottom, right, in pixels. MONAI has such parts too, but its
trained detector samples negatives and needs torchvision's matcher; these are short and batched.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.metrics.detection import Boxes, box_iou
from course_lib.parts.cells import Cells

MOST = 100
"""Boxes that a detector may return for one image."""


def anchors(
    height: int,
    width: int,
    cells: Cells,
    sides: Sequence[float],
    ratios: Sequence[float] = (1.0,),
) -> Tensor:
    """Anchors centred on each cell of a map of (height, width) cells, (height·width·A, 4).

    A = sides × ratios; ratio = height / width at equal area. The order is cells, then anchors.
    """
    side, ratio = (
        grid.flatten()
        for grid in torch.meshgrid(torch.tensor(sides), torch.tensor(ratios), indexing="ij")
    )
    half = torch.stack([side * ratio.sqrt(), side / ratio.sqrt()], 1) / 2
    y, x = (cells.middles(n) for n in (height, width))
    centre = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).view(-1, 1, 2)
    return torch.cat([centre - half, centre + half], -1).view(-1, 4)


def encode(boxes: Tensor, anchor: Tensor) -> Tensor:
    """Boxes relative to anchors: (Δcentre / side, log side ratio), as (dy, dx, dh, dw)."""
    size, own = anchor[..., 2:] - anchor[..., :2], boxes[..., 2:] - boxes[..., :2]
    shift = (boxes[..., :2] + boxes[..., 2:] - anchor[..., :2] - anchor[..., 2:]) / 2
    return torch.cat([shift / size, torch.log(own.clamp_min(1e-3) / size)], -1)


def decode(code: Tensor, anchor: Tensor) -> Tensor:
    """The inverse of `encode`; sides grow at most sixteenfold."""
    size = anchor[..., 2:] - anchor[..., :2]
    centre = (anchor[..., :2] + anchor[..., 2:]) / 2 + code[..., :2] * size
    half = size * code[..., 2:].clamp(max=2.77).exp() / 2
    return torch.cat([centre - half, centre + half], -1)


def match(anchor: Tensor, boxes: Tensor, low: float, high: float) -> Tensor:
    """Which box each anchor is responsible for, (A,): its number, -1 background, -2 neither.

    IoU ≥ high: an object; < low: background. Each box also gets the anchor that overlaps it most,
    or small objects between two cells would have none.
    """
    found = torch.full((len(anchor),), -1, device=anchor.device)
    if not len(boxes):
        return found
    overlap = box_iou(anchor, boxes)
    best, which = overlap.max(1)
    found[best >= low] = -2
    found = torch.where(best >= high, which, found)
    found[overlap.argmax(0)] = torch.arange(len(boxes), device=anchor.device)
    return found


def suppress(boxes: Tensor, scores: Tensor, overlap: float, most: int = MOST) -> Tensor:
    """Non-maximum suppression: numbers of the boxes kept, highest score first.

    Of boxes that overlap by more than `overlap` (IoU) only the surest stays.
    """
    order = scores.argsort(descending=True, stable=True)
    clash = box_iou(boxes[order], boxes[order]) > overlap
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    for place in range(len(order)):
        if len(kept) == most:
            break
        if alive[place]:
            kept.append(place)
            alive &= ~clash[place]
    return order[kept]


def suppress_classes(
    boxes: Tensor, scores: Tensor, labels: Tensor, overlap: float, most: int = MOST
) -> Tensor:
    """`suppress` within each class, by moving the classes apart."""
    if not len(boxes):
        return labels[:0]
    apart = labels[:, None].to(boxes) * (2 * boxes.abs().max() + 1)
    return suppress(boxes + apart, scores, overlap, most)


def padded(found: Sequence[tuple[Tensor, Tensor, Tensor]], most: int = MOST) -> dict[str, Tensor]:
    """One answer of equal size for all cases, from (boxes, scores, labels) of each.

    Returns boxes (N, most, 4), scores (N, most), labels (N, most); where there is no box, zeros, a
    score of -inf, and the label -1.
    """
    first = found[0][0]
    boxes = first.new_zeros(len(found), most, 4)
    scores = first.new_full((len(found), most), -torch.inf)
    labels = torch.full((len(found), most), -1, device=first.device)
    for k, (box, score, label) in enumerate(found):
        count = min(most, len(box))
        boxes[k, :count], scores[k, :count] = box[:count], score[:count]
        labels[k, :count] = label[:count]
    return {"boxes": boxes, "scores": scores, "labels": labels}


def targets(batch: dict[str, Tensor], case: int) -> tuple[Tensor, Tensor]:
    """The true boxes (K, 4) and labels (K,) of one case, without padding."""
    there = batch["labels"][case] >= 0
    return batch["boxes"][case][there], batch["labels"][case][there]


def as_lists(prediction: dict[str, Tensor], batch: dict[str, Tensor]) -> tuple[list, list]:
    """Predictions and truth as `metrics.detection` wants them, a list of `Boxes` each.

    Predictions whose middle lies in an `ignore` box are left out: what is there is no false alarm.
    """
    found, wanted = [], []
    for case in range(len(batch["boxes"])):
        boxes, labels = targets(batch, case)
        wanted.append(Boxes(boxes, labels))
        middle = (prediction["boxes"][case][:, :2] + prediction["boxes"][case][:, 2:]) / 2
        ignored = batch["ignore"][case]
        within = (middle[:, None] >= ignored[:, :2]) & (middle[:, None] < ignored[:, 2:])
        keep = (prediction["scores"][case] > -torch.inf) & ~within.all(-1).any(-1)
        found.append(
            Boxes(
                prediction["boxes"][case][keep],
                prediction["labels"][case][keep],
                prediction["scores"][case][keep],
            )
        )
    return found, wanted
