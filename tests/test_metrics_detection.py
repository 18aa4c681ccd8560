"""Boxes against pycocotools, MONAI's FROC, and sets small enough to count by hand."""

import contextlib
import io

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.metrics.detection import (
    Boxes,
    average_precision_per_case,
    box_iou,
    froc,
    froc_per_case,
    mean_average_precision,
    recall_per_case,
)
from tests.detection.made_up import random, some_boxes


def boxes(rows, scores=None, labels=None):
    labels = torch.zeros(len(rows), dtype=torch.long) if labels is None else torch.tensor(labels)
    scores = None if scores is None else torch.tensor(scores, dtype=torch.float32)
    return Boxes(torch.tensor(rows, dtype=torch.float32).view(-1, 4), labels, scores)


def random_set(seed, cases=12, jitter=3.0):
    """Targets, and predictions that are jittered, missed, doubled or made up."""
    random = np.random.default_rng(seed)
    predictions, targets = [], []
    for _ in range(cases):
        count = random.integers(0, 6)
        start = random.uniform(0, 80, (count, 2))
        truth = np.hstack([start, start + random.uniform(8, 30, (count, 2))])
        label = random.integers(0, 3, count)
        kept = random.random(count) < 0.8
        again = random.random(count) < 0.3
        start = random.uniform(0, 80, (3, 2))
        invented = np.hstack([start, start + random.uniform(8, 30, (3, 2))])
        found = np.vstack([truth[kept], truth[again]])
        found = np.vstack([found + random.normal(0, jitter, found.shape), invented])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        found_label = np.concatenate([label[kept], label[again], random.integers(0, 3, 3)])
        targets.append(boxes(truth.tolist(), labels=label.tolist()))
        predictions.append(
            boxes(found.tolist(), random.random(len(found)).tolist(), found_label.tolist())
        )
    return predictions, targets


def coco_average_precision(predictions, targets):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(cases):
        for image, case in enumerate(cases):
            for k, (top, left, bottom, right) in enumerate(case.boxes.double().tolist()):
                row = {
                    "image_id": image + 1,
                    "category_id": int(case.labels[k]) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                }
                yield row if case.scores is None else {**row, "score": float(case.scores[k])}

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": k + 1} for k in range(len(targets))],
            "categories": [{"id": k + 1} for k in range(3)],
            "annotations": [{**row, "id": k + 1} for k, row in enumerate(rows(targets))],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(list(rows(predictions))), "bbox")
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, -1]  # IoU, recall, class; all areas, 100
    return precision.mean(), precision[0].mean()


@pytest.mark.parametrize("seed, jitter", [(0, 1.0), (1, 3.0), (2, 3.0), (3, 6.0)])
def test_agrees_with_pycocotools(seed, jitter):
    predictions, targets = random_set(seed, jitter=jitter)
    expected = coco_average_precision(predictions, targets)
    assert mean_average_precision(predictions, targets).item() == pytest.approx(
        expected[0], abs=1e-6
    )
    half = mean_average_precision(predictions, targets, (0.5,))
    assert half.item() == pytest.approx(expected[1], abs=1e-6)


def test_froc_agrees_with_monai():
    from monai.metrics.froc import compute_froc_curve_data, compute_froc_score

    predictions, targets = random_set(4, cases=30)
    alarms, best = [], []
    for p, t in zip(predictions, targets, strict=True):
        hit = box_iou(p.boxes, t.boxes) >= 0.3
        alarms += p.scores[~hit.any(1)].tolist()
        best += torch.where(hit, p.scores[:, None], 0.0).amax(0).tolist() if len(t.boxes) else []
    rate, sensitivity = compute_froc_curve_data(
        np.array(alarms), np.array(best), num_targets=len(best), num_images=30
    )
    rates = (0.25, 0.5, 1, 2)
    ours = froc(predictions, targets, 0.3, rates)
    # MONAI interpolates between operating points; ours takes the last one allowed.
    for value, allowed in zip(ours.tolist(), rates, strict=True):
        assert value == pytest.approx(sensitivity[rate <= allowed].max(), abs=1e-6)
    theirs = compute_froc_score(rate, sensitivity, rates)
    assert ours.mean().item() == pytest.approx(theirs, abs=0.03)


def test_iou_closed_forms():
    a = torch.tensor([[0.0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [2, 2, 4, 4]])
    assert box_iou(a, b)[0].tolist() == pytest.approx([1, 1 / 3, 0, 0.04])
    cube = torch.tensor([[0.0, 0, 0, 2, 2, 2]])
    assert box_iou(cube, cube + torch.tensor([1.0, 0, 0, 1, 0, 0])).item() == pytest.approx(1 / 3)


NODULE = [[10, 10, 20, 20]]
FAR = [[50, 50, 60, 60]]
NOTHING = [[80, 80, 90, 90]]


def test_froc_counted_by_hand():
    """Two images, three targets; scores: hits 0.9 and 0.4, false alarms 0.8 and 0.3."""
    targets = [boxes(NODULE), boxes(NODULE + FAR)]
    predictions = [boxes(NODULE + FAR, [0.9, 0.8]), boxes(NODULE + NOTHING, [0.4, 0.3])]
    rates = (0.0, 0.4, 0.5, 1.0, 8.0)
    expected = [1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3]
    for overlap in (None, 0.5):
        assert froc(predictions, targets, overlap, rates).tolist() == pytest.approx(expected)
    assert recall_per_case(predictions, targets, rate=0.0).tolist() == [1, 0]
    assert recall_per_case(predictions, targets, rate=0.5).tolist() == [1, 0.5]


def test_a_second_hit_counts_neither_way_in_froc_but_is_a_false_alarm_in_coco():
    targets = [boxes(NODULE + FAR)]
    once = [boxes(NODULE + FAR, [0.9, 0.5])]
    twice = [boxes(NODULE + NODULE + FAR, [0.9, 0.8, 0.5])]
    assert torch.equal(froc(once, targets), froc(twice, targets))
    assert mean_average_precision(once, targets) == 1
    assert mean_average_precision(twice, targets) < 1


def test_perfect_and_growing_error():
    _, targets = random_set(5)
    values = []
    for moved in (0.0, 2.0, 4.0, 8.0):
        predictions = [Boxes(t.boxes + moved, t.labels, torch.ones(len(t.boxes))) for t in targets]
        values.append(
            [mean_average_precision(predictions, targets), froc(predictions, targets, 0.5).mean()]
        )
    assert values[0] == [1, 1]
    assert [v[0] for v in values] == sorted((v[0] for v in values), reverse=True)
    assert values[3][0] < values[0][0] and values[3][1] < values[0][1]


def test_order_of_cases_and_boxes_does_not_matter():
    predictions, targets = random_set(6)
    order = list(np.random.default_rng(0).permutation(len(targets)))

    def shuffled(case):
        k = torch.arange(len(case.boxes)).flip(0)
        return Boxes(case.boxes[k], case.labels[k], None if case.scores is None else case.scores[k])

    other = [shuffled(predictions[k]) for k in order], [shuffled(targets[k]) for k in order]
    for score in (mean_average_precision, froc):
        assert torch.allclose(score(*other), score(predictions, targets))
    recall = recall_per_case(predictions, targets)
    assert torch.allclose(recall_per_case(*other), recall[order], equal_nan=True)


def test_wrong_class_is_wrong_for_map_only():
    targets = [boxes(NODULE, labels=[0])]
    predictions = [boxes(NODULE, [0.9], labels=[1])]
    assert mean_average_precision(predictions, targets) == 0
    assert (froc(predictions, targets) == 1).all()


def test_nothing_to_find_and_nothing_found():
    nothing = boxes([], [])
    assert mean_average_precision([nothing], [boxes([])]).isnan()
    assert froc([nothing], [boxes([])]).isnan().all()
    assert mean_average_precision([nothing], [boxes(NODULE)]) == 0
    assert (froc([nothing], [boxes(NODULE)]) == 0).all()
    recall = recall_per_case([nothing, boxes(NODULE, [0.5])], [boxes([]), boxes(NODULE)])
    assert recall[0].isnan() and recall[1] == 1


@pytest.mark.parametrize(
    "predictions, message",
    [
        ([], "one entry per case"),
        ([boxes(NODULE)], "score"),
        ([boxes(NODULE, [float("nan")])], "NaN"),
        ([boxes([[10, 10, 5, 5]], [0.5])], "starts"),
    ],
)
def test_bad_input_is_explained(predictions, message):
    with pytest.raises(CourseError, match=message):
        froc(predictions, [boxes(NODULE)])


# --- scores of a set as shares of its cases


def a_set(seed, count=12):
    truth = [Boxes(some_boxes(k % 4, seed + k), torch.arange(k % 4) % 2) for k in range(count)]
    found = []
    for k, one in enumerate(truth):
        moved = one.boxes + 3 * (random(*one.boxes.shape, seed=seed + 50 + k) - 0.5)
        boxes = torch.cat([moved, some_boxes(3, seed + 90 + k)])
        labels = torch.cat([one.labels, torch.tensor([0, 1, 0])])
        found.append(Boxes(boxes, labels, random(len(boxes), seed=seed + 200 + k)))
    return found, truth


@pytest.mark.parametrize("seed", [0, 1000])
def test_shares_of_cases_average_to_the_sets_score(seed):
    found, truth = a_set(seed)
    share = froc_per_case(found, truth)
    assert share.mean() == pytest.approx(float(froc(found, truth).mean()), rel=1e-5)
    share = average_precision_per_case(found, truth, 0.5)
    coco = float(mean_average_precision(found, truth, (0.5,)))
    assert share.mean() == pytest.approx(coco, abs=0.02)
    empty = [k for k, one in enumerate(truth) if not len(one.boxes)]
    assert not share[empty].any()


def test_average_precision_counted_by_hand():
    truth = [Boxes(torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.zeros(2))]
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]])
    found = [Boxes(boxes, torch.zeros(3), torch.tensor([0.9, 0.8, 0.7]))]
    share = average_precision_per_case(found, truth, 0.5)
    assert share.item() == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision_per_case(found, [Boxes(boxes[:0], torch.zeros(0))]).isnan()
