"""What detectors share: anchors, codes, matching, suppression."""

import pytest
import torch

from course_lib.metrics import detection as metrics
from course_lib.parts.cells import Cells
from course_lib.parts.detection import boxes as parts
from tests.detection.made_up import disc_batch, random, some_boxes


def test_code_and_anchor_give_back_the_box_and_anchors_lie_on_their_cells():
    anchor = parts.anchors(3, 4, Cells(8, 0.5), (6.0, 10.0), (1.0, 2.0))
    assert anchor.shape == (3 * 4 * 4, 4)
    middle = (anchor[:, :2] + anchor[:, 2:]) / 2
    assert middle[0].tolist() == [0.5, 0.5] and middle[-1].tolist() == [16.5, 24.5]
    sides = anchor[:4, 2:] - anchor[:4, :2]
    assert torch.allclose(sides.prod(1).sqrt(), torch.tensor([6.0, 6, 10, 10]))
    assert torch.allclose(sides[1, 0] / sides[1, 1], torch.tensor(2.0))
    boxes = some_boxes(len(anchor))
    assert torch.allclose(parts.decode(parts.encode(boxes, anchor), anchor), boxes, atol=1e-3)


def test_suppression_is_monais():
    monai = pytest.importorskip("monai.data.box_utils")
    boxes, scores = some_boxes(60, extent=60), random(60, seed=5)
    wanted = monai.non_max_suppression(boxes, scores, 0.3, box_overlap_metric=monai.box_iou)
    assert torch.equal(parts.suppress(boxes, scores, 0.3), wanted)
    iou = monai.box_iou(boxes, boxes)
    assert torch.allclose(metrics.box_iou(boxes, boxes), iou, atol=1e-5)


def test_classes_do_not_suppress_each_other():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 1])
    assert parts.suppress_classes(boxes, scores, labels, 0.5).tolist() == [0, 1]


def test_matching_knows_objects_background_and_neither():
    anchor = torch.tensor([[0.0, 0, 10, 10], [0, 5, 10, 15], [40, 40, 50, 50], [4, 0, 14, 10]])
    box = torch.tensor([[0.0, 0, 10, 10]])
    assert parts.match(anchor, box, 0.4, 0.5).tolist() == [0, -1, -1, -2]
    far = torch.tensor([[46.0, 46, 56, 56]])
    assert parts.match(anchor, far, 0.4, 0.5).tolist() == [-1, -1, 0, -1]  # its best anchor
    assert parts.match(anchor, box[:0], 0.4, 0.5).tolist() == [-1] * 4


def test_what_lies_in_the_patients_own_tumour_is_no_false_alarm():
    batch = disc_batch(1)
    answer = parts.padded([(torch.tensor([[40.0, 40, 50, 50]]), torch.ones(1), torch.zeros(1))])
    assert len(parts.as_lists(answer, batch)[0][0].boxes) == 1
    batch["ignore"] = torch.tensor([[[35.0, 35, 60, 60]]])
    assert len(parts.as_lists(answer, batch)[0][0].boxes) == 0
