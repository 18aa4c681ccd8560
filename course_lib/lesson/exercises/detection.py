"""Exercises of the detection lesson: the overlap of boxes, and non-maximum suppression."""

from numbers import Integral

import torch

from course_lib.lesson.exercise import Exercise, expect


def box_iou(first, second):
    """Intersection over union of every pair: (K, 4) and (L, 4) boxes → (K, L).

    A box is (top, left, bottom, right) in pixels.
    """
    starts = torch.maximum(first[:, None, :2], second[None, :, :2])
    stops = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    both = (stops - starts).clamp(min=0).prod(-1)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    return both / (sizes[0][:, None] + sizes[1] - both)


def check_iou(candidate):
    """Pairs whose overlap is known: the same box, one inside another, apart, side by side."""
    first = torch.tensor([[0.0, 0, 10, 10], [0, 0, 4, 10], [20, 20, 30, 40]])
    second = torch.tensor([[0.0, 0, 10, 10], [5, 5, 15, 15], [50, 60, 70, 80], [0, 12, 10, 22]])
    kept = first.clone(), second.clone()
    result = candidate(first, second)
    _expect_tensor(result)
    expect(
        torch.equal(first, kept[0]) and torch.equal(second, kept[1]),
        "Your function changes its input. Make new tensors instead.",
    )
    expect(
        result.shape == (3, 4),
        f"3 boxes against 4 give a table (3, 4), yours has {tuple(result.shape)}: every box of the "
        "first list with every box of the second.",
    )
    said = (
        (0, 0, 1.0, "A box with itself"),
        (1, 0, 0.4, "A box of 40 pixels inside one of 100"),
        (0, 1, 25 / 175, "Two boxes of 100 pixels that share 25"),
        (0, 2, 0.0, "Two boxes far apart in both directions"),
        (0, 3, 0.0, "Two boxes side by side with a gap"),
        (2, 2, 0.0, "Two boxes apart"),
    )
    for k, m, wanted, what in said:
        found = float(result[k, m])
        expect(
            abs(found - wanted) < 1e-4,
            f"{what} should have an IoU of {wanted:.3f}; yours gives {found:.3f}.",
        )
    generator = torch.Generator().manual_seed(0)
    start = 40 * torch.rand(30, 2, generator=generator)
    boxes = torch.cat([start, start + 5 + 20 * torch.rand(30, 2, generator=generator)], 1)
    expect(
        torch.allclose(candidate(boxes, boxes[:20]), box_iou(boxes, boxes[:20]), atol=1e-4),
        "Boxes that are not squares give other numbers. Rows go with rows (top, bottom), columns "
        "with columns (left, right).",
    )


def suppress(boxes, scores, overlap):
    """Numbers of the boxes that stay, highest score first.

    boxes (K, 4), scores (K,); of boxes that overlap by more than `overlap` (IoU) the surest stays.
    """
    kept = []
    for k in scores.argsort(descending=True).tolist():
        rivals = box_iou(boxes[k : k + 1], boxes[kept])
        if not (rivals > overlap).any():
            kept.append(k)
    return kept


def check_suppress(candidate):
    """A chain of three boxes, equal boxes, and random sets."""
    # 0 and 1 overlap, 1 and 2 overlap, 0 and 2 do not.
    chain = torch.tensor([[0.0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18], [40, 40, 50, 50]])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.95])
    kept_boxes, kept_scores = chain.clone(), scores.clone()
    found = _numbers(candidate(chain, scores, 0.3))
    expect(
        torch.equal(chain, kept_boxes) and torch.equal(scores, kept_scores),
        "Your function changes its input. Work on copies instead.",
    )
    expect(
        1 not in found,
        "Box 1 overlaps the surer box 0 by an IoU of 0.43, more than 0.3: it should go.",
    )
    expect(
        2 in found,
        "Box 2 overlaps only box 1, and box 1 is gone. Who has been suppressed cannot suppress "
        "others: box 2 should stay.",
    )
    expect(3 in found, "Box 3 lies far from all others: it should stay.")
    expect(
        found == [3, 0, 2],
        f"The numbers should come highest score first, here [3, 0, 2]; yours are {found}.",
    )
    found = _numbers(candidate(chain, scores, 0.5))
    expect(
        found == [3, 0, 1, 2],
        f"With an overlap of 0.5 allowed nobody has to go: [3, 0, 1, 2] expected, not {found}.",
    )
    generator = torch.Generator().manual_seed(1)
    for count in (1, 25):
        start = 30 * torch.rand(count, 2, generator=generator)
        boxes = torch.cat([start, start + 5 + 10 * torch.rand(count, 2, generator=generator)], 1)
        scores = torch.rand(count, generator=generator)
        wanted = suppress(boxes, scores, 0.2)
        found = _numbers(candidate(boxes, scores, 0.2))
        expect(
            found == wanted,
            f"Of {count} random boxes {len(wanted)} should stay, {wanted}; yours are {found}.",
        )


def _numbers(result):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    if isinstance(result, torch.Tensor):
        result = result.tolist()
    expect(
        isinstance(result, list) and all(_whole(k) for k in result),
        "A list of whole numbers was expected: which boxes stay.",
    )
    return [int(k) for k in result]


def _whole(k):
    if isinstance(k, torch.Tensor):
        return k.ndim == 0 and not k.is_floating_point()
    return isinstance(k, Integral)


def _expect_tensor(result):
    expect(result is not None, "Your function returns nothing. Is the `return` missing?")
    kind = type(result).__name__
    expect(isinstance(result, torch.Tensor), f"A tensor was expected, not {kind}.")


def _loops(first, second):
    """A right answer by another road: two loops."""
    table = torch.zeros(len(first), len(second))
    for k, a in enumerate(first.tolist()):
        for m, b in enumerate(second.tolist()):
            height = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
            width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
            sizes = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
            table[k, m] = height * width / (sizes - height * width)
    return table


def _no_clamp(first, second):
    starts = torch.maximum(first[:, None, :2], second[None, :, :2])
    stops = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    both = (stops - starts).prod(-1)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    return both / (sizes[0][:, None] + sizes[1] - both)


def _both_twice(first, second):
    iou = box_iou(first, second)
    return iou / (1 + iou)


def _smaller(first, second):
    iou = box_iou(first, second)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    both = iou * (sizes[0][:, None] + sizes[1]) / (1 + iou)
    return both / torch.minimum(sizes[0][:, None], sizes[1][None])


def _corner_and_size(first, second):
    turned = [torch.cat([b[:, :2], b[:, :2] + b[:, 2:]], 1) for b in (first, second)]
    return box_iou(*turned)


def _paired(first, second):
    count = min(len(first), len(second))
    return box_iou(first[:count], second[:count]).diagonal()


def _textbook(boxes, scores, overlap):
    """A right answer by another road: its numbers are tensors without axes."""
    order, kept = scores.argsort(descending=True), []
    while len(order):
        kept.append(order[0])
        rivals = box_iou(boxes[order[:1]], boxes[order])[0]
        order = order[(rivals <= overlap) & (order != order[0])]
    return kept


def _parallel(boxes, scores, overlap):
    order = scores.argsort(descending=True)
    rivals = (box_iou(boxes[order], boxes[order]) > overlap).tril(-1)
    return order[~rivals.any(1)].tolist()


def _unsorted(boxes, scores, overlap):
    return sorted(suppress(boxes, scores, overlap))


def _first_come(boxes, scores, overlap):
    kept = []
    for k in range(len(boxes)):
        if not (box_iou(boxes[k : k + 1], boxes[kept]) > overlap).any():
            kept.append(k)
    return kept


def _worst_first(boxes, scores, overlap):
    return suppress(boxes, -scores, overlap)


def _zeroes(boxes, scores, overlap):
    scores[scores < scores.max()] *= 1.0
    scores += 1.0
    return suppress(boxes, scores, overlap)


def _rounds(boxes, scores, overlap):
    """A right answer by another road: take the best, strike out its rivals, repeat."""
    waiting, kept = scores.argsort(descending=True), []
    while len(waiting):
        kept.append(int(waiting[0]))
        rivals = box_iou(boxes[waiting[:1]], boxes[waiting])[0] > overlap
        waiting = waiting[~rivals & (waiting != waiting[0])]
    return torch.tensor(kept)


EXERCISES = (
    Exercise(
        id="detection.box_iou",
        title="The overlap of two boxes",
        hints=(
            "The part that two boxes share is a box too. Where does it start, where does it stop, "
            "and what if it stops before it starts?",
            "It starts at the larger of the two starts and stops at the smaller of the two stops. "
            "Clamp its sides at zero. Union = both sizes together minus what they share.",
            "starts = torch.maximum(first[:, None, :2], second[None, :, :2]) makes all pairs at "
            "once, (K, L, 2); stops likewise with minimum and 2:. Then "
            "(stops - starts).clamp(min=0).prod(-1).",
        ),
        checker=check_iou,
        answer=box_iou,
        right=(_loops,),
        wrong=(
            (_no_clamp, "lets boxes that lie apart share a positive area: minus times minus"),
            (_both_twice, "counts the shared part twice in the union"),
            (_smaller, "divides by the smaller box"),
            (_corner_and_size, "takes the last two numbers for height and width"),
            (_paired, "compares only boxes at the same place in the lists"),
            (lambda a, b: box_iou(b, a), "turns rows and columns of the table round"),
            (lambda a, b: 1 - box_iou(a, b), "gives the distance instead of the overlap"),
            (lambda a, b: (box_iou(a, b) > 0).float(), "only says whether they touch"),
        ),
    ),
    Exercise(
        id="detection.suppress",
        title="Non-maximum suppression",
        hints=(
            "Go through the boxes from the surest to the least sure. Each one stays unless "
            "someone who already stays objects.",
            "Keep a list of the numbers that stay. A box is dropped if its IoU with one of those "
            "in the list is above `overlap`. Whoever was dropped has no say any more.",
            "for k in scores.argsort(descending=True).tolist(): compare boxes[k : k + 1] with "
            "boxes[kept] by box_iou, and append k if no value is above overlap.",
        ),
        checker=check_suppress,
        answer=suppress,
        right=(_rounds, _textbook),
        wrong=(
            (_parallel, "lets suppressed boxes suppress others"),
            (_unsorted, "does not give them in the order of the scores"),
            (_first_come, "goes by the order in the list, not by score"),
            (_worst_first, "keeps the least sure one"),
            (lambda b, s, o: s.argsort(descending=True).tolist(), "suppresses nobody"),
            (lambda b, s, o: [int(s.argmax())], "keeps only the very best box"),
            (lambda b, s, o: suppress(b, s, 1 - o), "takes the threshold upside down"),
            (_zeroes, "changes its input"),
        ),
    ),
)
