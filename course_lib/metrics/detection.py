"""Were the objects found, and how many false alarms did it cost: FROC and mean average precision.

Boxes are (K, 2·d) floats, the starts of all axes and then the stops, in pixels: (top, left, bottom,
right). Any order of the axes will do if predictions and targets share it. A set of cases is a list
with one `Boxes` per case; a case may hold none.

A class or a set without a single object has nothing to find: NaN, left out of averages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.errors import CourseError

COCO_OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))
FROC_RATES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


@dataclass(frozen=True)
class Boxes:
    """The boxes of one case: `boxes` (K, 2·d), `labels` (K,) whole numbers (one class: zeros),
    and for predictions `scores` (K,), higher is surer."""

    boxes: Tensor
    labels: Tensor
    scores: Tensor | None = None


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair of boxes, (K, 2·d) and (L, 2·d) → (K, L)."""
    dimensions = first.shape[1] // 2
    starts = torch.maximum(first[:, None, :dimensions], second[None, :, :dimensions])
    stops = torch.minimum(first[:, None, dimensions:], second[None, :, dimensions:])
    both = (stops - starts).clamp(min=0).prod(-1)
    sizes = [(b[:, dimensions:] - b[:, :dimensions]).prod(-1) for b in (first, second)]
    return both / (sizes[0][:, None] + sizes[1] - both)


def mean_average_precision(
    predictions: Sequence[Boxes],
    targets: Sequence[Boxes],
    overlaps: Sequence[float] = COCO_OVERLAPS,
) -> Tensor:
    """Mean average precision (`map`, no unit, higher is better, ideal 1), as COCO counts it.

    The mean over classes and IoU thresholds of the precision at 101 recalls. In order of score
    each prediction takes the free target of its class that it overlaps most, if by the threshold;
    otherwise it is a false alarm. The 100 highest scores of each case and class count.

    Arguments:
        predictions: with scores.
        targets: one per case, in the same order.
        overlaps: IoU thresholds; the default is COCO's 0.50, 0.55 … 0.95; (0.5,) gives AP50.
    Returns a number; NaN where no target exists.

    Source: Lin et al. 2014, doi 10.1007/978-3-319-10602-1_48.
    """
    _check(predictions, targets)
    classes = torch.cat([target.labels for target in targets]).unique().tolist()
    precisions = [
        _average_precision(of_class(predictions, c), of_class(targets, c), overlap)
        for c in classes
        for overlap in overlaps
    ]
    return torch.tensor(precisions).mean()  # the mean of nothing is NaN


def froc(
    predictions: Sequence[Boxes],
    targets: Sequence[Boxes],
    overlap: float | None = None,
    rates: Sequence[float] = FROC_RATES,
) -> Tensor:
    """Sensitivities of the free-response ROC curve (`froc`, no unit, higher is better, ideal 1).

    The share of all targets found at the lowest score threshold that allows at most `rate` false
    alarms per image. Its mean over the seven default rates is the challenge score of LUNA16.
    Classes are ignored. A second hit on a target that was found counts neither way.

    Arguments:
        predictions: with scores.
        targets: one per case, in the same order.
        overlap: IoU that makes a hit; None: the centre of the prediction lies in the target,
            as for lung nodules, whose boxes are too small to overlap well.
        rates: false alarms per image.
    Returns (len(rates),); NaN where no target exists.

    Source: Setio et al. 2017, doi 10.1016/j.media.2017.06.015.
    """
    alarms, best = alarms_and_hits(predictions, targets, overlap)
    thresholds = [threshold(alarms, rate * len(targets)) for rate in rates]
    return torch.stack([(best > t).float().mean() for t in thresholds])


def recall_per_case(
    predictions: Sequence[Boxes],
    targets: Sequence[Boxes],
    overlap: float | None = None,
    rate: float = 1.0,
) -> Tensor:
    """Recall of every case (`recall`, no unit, higher is better, ideal 1), at one operating point.

    The threshold is the one of `froc` at `rate` false alarms per image over the whole set; what it
    finds is then counted case by case, so that intervals over subjects can be given.
    Returns (N,); NaN for a case without a target.
    """
    alarms, best = alarms_and_hits(predictions, targets, overlap)
    found = (best > threshold(alarms, rate * len(targets))).float()
    counts = [len(target.boxes) for target in targets]
    return torch.stack([case.mean() for case in found.split(counts)])


def froc_per_case(
    predictions: Sequence[Boxes],
    targets: Sequence[Boxes],
    overlap: float | None = None,
    rates: Sequence[float] = FROC_RATES,
) -> Tensor:
    """Each case's share of the FROC score, (N,); their mean is the mean of `froc` over `rates`.

    A target found at a rate counts N / (targets · rates) for its case, so a share may exceed 1. A
    case without a target has the share 0; its false alarms move the thresholds of all. NaN where
    no target exists.
    """
    alarms, best = alarms_and_hits(predictions, targets, overlap)
    thresholds = torch.stack([threshold(alarms, rate * len(targets)) for rate in rates])
    found = (best[:, None] > thresholds).float().mean(1)
    shares = torch.stack([case.sum() for case in found.split([len(t.boxes) for t in targets])])
    return shares * len(targets) / len(best) if len(best) else shares * torch.nan


def average_precision_per_case(
    predictions: Sequence[Boxes], targets: Sequence[Boxes], overlap: float = 0.5
) -> Tensor:
    """Each case's share of the average precision, (N,); their mean is its value.

    The area under the whole precision-recall curve, Σ over found targets of the precision there
    (the best of any lower threshold) / targets, mean over classes. Between `mean_average_precision`
    and this lies only COCO's reading of the curve at 101 recalls. NaN where no target exists.
    """
    _check(predictions, targets)
    classes = torch.cat([target.labels for target in targets]).unique().tolist()
    shares = torch.zeros(len(targets), dtype=torch.float64)
    for label in classes:
        ours, theirs = of_class(predictions, label), of_class(targets, label)
        envelope, hit, case, total = _precisions(ours, theirs, overlap)
        shares.index_add_(0, case[hit], envelope[hit] / (total * len(classes)))
    return (shares * (len(targets) if classes else torch.nan)).float()


def mean_average_precision_per_case(
    predictions: Sequence[Boxes],
    targets: Sequence[Boxes],
    overlaps: Sequence[float] = COCO_OVERLAPS,
) -> Tensor:
    """Each case's share of `mean_average_precision`, (N,); their mean is its value.

    The precision at each of the 101 recalls belongs to the case whose prediction reaches it. NaN
    where no target exists.
    """
    _check(predictions, targets)
    classes = torch.cat([target.labels for target in targets]).unique().tolist()
    shares = torch.zeros(len(targets), dtype=torch.float64)
    for label in classes:
        ours, theirs = of_class(predictions, label), of_class(targets, label)
        for overlap in overlaps:
            envelope, hit, case, total = _precisions(ours, theirs, overlap)
            place = _at_recalls(hit, total)
            place = place[place < len(hit)]
            shares.index_add_(0, case[place], envelope[place])
    count = 101 * len(overlaps) * len(classes)
    return (shares * (len(targets) / count if count else torch.nan)).float()


def alarms_and_hits(predictions, targets, overlap: float | None) -> tuple[Tensor, Tensor]:
    """Scores of all false alarms, highest first, and for each target the best score on it."""
    _check(predictions, targets)
    alarms, best = [], []
    for ours, theirs in zip(predictions, targets, strict=True):
        if overlap is None:
            dimensions = ours.boxes.shape[1] // 2
            centre = (ours.boxes[:, None, :dimensions] + ours.boxes[:, None, dimensions:]) / 2
            hit = (centre >= theirs.boxes[:, :dimensions]) & (centre < theirs.boxes[:, dimensions:])
            hit = hit.all(-1)
        else:
            hit = box_iou(ours.boxes, theirs.boxes) >= overlap
        alarms.append(ours.scores[~hit.any(1)])
        scores = torch.where(hit, ours.scores[:, None], -torch.inf)
        none = scores.new_full((1, len(theirs.boxes)), -torch.inf)
        best.append(torch.cat([scores, none]).max(0).values)
    return torch.cat(alarms).sort(descending=True).values, torch.cat(best)


def threshold(alarms: Tensor, allowed: float) -> Tensor:
    """Scores above this give at most `allowed` false alarms."""
    count = int(allowed)
    return alarms[count] if count < len(alarms) else alarms.new_tensor(-torch.inf)


def _average_precision(predictions, targets, overlap: float) -> float:
    envelope, hits, _, total = _precisions(predictions, targets, overlap)
    if not len(hits):
        return 0.0
    place = _at_recalls(hits, total)
    return torch.cat([envelope, envelope.new_zeros(1)])[place].mean().item()


def _at_recalls(hits: Tensor, total: int) -> Tensor:
    """Which prediction reaches each of the 101 recalls; beyond the last: none does."""
    # Not linspace: torch and NumPy round 0.01·k differently, and recalls often equal it exactly.
    recalls = 0.01 * torch.arange(101, dtype=torch.float64)
    return torch.searchsorted(hits.double().cumsum(0) / total, recalls)


def _precisions(predictions, targets, overlap: float) -> tuple[Tensor, Tensor, Tensor, int]:
    """For all predictions, surest first: the best precision from there on, hit or not, and the
    case; and the number of targets."""
    hits, scores, cases = [], [], []
    for number, (ours, theirs) in enumerate(zip(predictions, targets, strict=True)):
        order = ours.scores.argsort(descending=True, stable=True)[:100]
        shared = box_iou(ours.boxes[order], theirs.boxes).tolist()
        free = set(range(len(theirs.boxes)))
        for row in shared:
            # COCO's rule: among equal overlaps the later target wins.
            best = max(free, key=lambda k: (row[k], k), default=None)
            hit = best is not None and row[best] >= min(overlap, 1 - 1e-10)
            hits.append(hit)
            if hit:
                free.remove(best)
        scores.append(ours.scores[order])
        cases += [number] * len(order)
    total = sum(len(target.boxes) for target in targets)
    order = torch.cat(scores).argsort(descending=True, stable=True).cpu()
    hit = torch.tensor(hits, dtype=torch.bool)[order]
    precision = hit.double().cumsum(0) / torch.arange(1, len(hits) + 1)
    # The precision at a recall is the best that any threshold gives at this recall or beyond.
    envelope = precision.flip(0).cummax(0).values.flip(0) if len(hits) else precision
    return envelope, hit, torch.tensor(cases, dtype=torch.long)[order], total


def of_class(cases: Sequence[Boxes], label: int) -> list[Boxes]:
    """The same cases with the boxes of one class alone."""
    chosen = [case.labels == label for case in cases]
    return [
        Boxes(c.boxes[k], c.labels[k], None if c.scores is None else c.scores[k])
        for c, k in zip(cases, chosen, strict=True)
    ]


def _check(predictions: Sequence[Boxes], targets: Sequence[Boxes]) -> None:
    if len(predictions) != len(targets) or not targets:
        raise CourseError(
            f"Predictions ({len(predictions)}) and targets ({len(targets)}) must be lists with one "
            "entry per case."
        )
    for case in (*predictions, *targets):
        dimensions = case.boxes.shape[1] // 2
        if (case.boxes[:, dimensions:] < case.boxes[:, :dimensions]).any():
            raise CourseError(
                "A box ends before it starts: give the starts of all axes, then the stops "
                "(COCO files hold left, top, width, height)."
            )
    for ours in predictions:
        if ours.scores is None or not len(ours.boxes) == len(ours.scores) == len(ours.labels):
            raise CourseError("Each prediction needs one score and one label per box.")
        if ours.scores.isnan().any():
            raise CourseError("A score is NaN: the detector diverged. Lower its learning rate.")
