"""Faster R-CNN: what makes it itself."""

import pytest
import torch

from course_lib.methods.detection import faster_rcnn
from course_lib.metrics import detection as metrics
from course_lib.parts.detection.boxes import decode
from tests.detection.made_up import FACTS, disc_batch, some_boxes


def test_faster_rcnn_has_two_stages_on_one_backbone():
    method, batch = faster_rcnn.FasterRCNN(proposals=7).fresh(FACTS).eval(), disc_batch(2)
    seen = []
    method.features.register_forward_hook(lambda m, i, o: seen.append("backbone"))
    method.head.register_forward_hook(lambda m, i, o: seen.append(tuple(i[0].shape)))
    with torch.no_grad():
        answer = method.predict(batch)
        found = method.propose(batch["image"], *method.judge(batch["image"])[1:])
    assert seen[0] == "backbone" and len(seen) == 3  # one pass of each, then `judge` again
    assert seen[1][1:] == (32, 5, 5) and seen[1][0] == sum(len(each) for each in found)
    assert all(len(each) <= 7 for each in found)
    for each in found:
        assert (metrics.box_iou(each, each) - torch.eye(len(each))).max() <= 0.5
    assert (answer["scores"] > -torch.inf).sum(1).max() <= 7


def test_faster_rcnn_samples_at_most_the_share_of_objects():
    torch.manual_seed(0)
    positive = torch.arange(500) < 100
    chosen = faster_rcnn.sampled(positive, ~positive, 32)
    assert len(chosen) == len(set(chosen.tolist())) == 32 and positive[chosen].sum() == 8
    few = faster_rcnn.sampled(torch.arange(500) < 5, torch.arange(500) > 10, 32)
    assert len(few) == 20 and (few < 5).sum() == 5 and not ((few >= 5) & (few <= 10)).any()
    hard = faster_rcnn.sampled(positive, ~positive, 32, torch.arange(500.0))
    assert sorted(hard[8:].tolist()) == list(range(476, 500))
    boxes = some_boxes(20)
    overlap = metrics.box_iou(faster_rcnn.jittered(boxes, 1), boxes).diagonal()
    assert (overlap > 0.4).all() and (overlap < 1).all()


def test_faster_rcnn_losses_reach_backbone_from_both_stages():
    method, batch = faster_rcnn.FasterRCNN().fresh(FACTS), disc_batch(2)
    ((_, loss),) = method.losses(batch)
    loss.backward()
    for module in (method.features, method.rpn, method.rpn_score, method.rpn_code, method.head):
        assert any(p.grad.abs().max() > 0 for p in module.parameters())


def test_each_term_of_faster_rcnn_teaches_its_own_layers():
    layers = {
        "objectness": "rpn_score",
        "proposal_box": "rpn_code",
        "region_class": "head_class",
        "region_box": "head_code",
    }
    for term, layer in layers.items():
        torch.manual_seed(0)
        method = faster_rcnn.FasterRCNN(**{name: float(name == term) for name in layers})
        method.fresh(FACTS)
        ((_, loss),) = method.losses(disc_batch(2))
        assert set(method.told) == set(layers)
        assert loss.item() == pytest.approx(method.told[term].item())
        loss.backward()
        learning = {n for n in layers.values() if getattr(method, n).weight.grad.abs().max() > 0}
        assert learning == {layer}


def test_regions_to_judge_are_named_after_the_box_they_cover_and_led_to_it():
    torch.manual_seed(0)
    boxes, labels = some_boxes(3, extent=200), torch.tensor([0, 1, 1])
    regions, kind, aim = faster_rcnn.regions_to_judge(some_boxes(40, seed=7), boxes, labels)
    overlap, which = metrics.box_iou(regions, boxes).max(1)
    assert torch.equal(kind > 0, overlap >= 0.5) and (kind > 0).any() and (kind == 0).any()
    inside = kind > 0
    assert torch.equal(kind[inside], 1 + labels[which[inside]])
    there = decode(aim[inside] / faster_rcnn.REGION_CODE, regions[inside])
    assert torch.allclose(there, boxes[which[inside]], atol=1e-3)
    assert not aim[~inside].any()
    empty = faster_rcnn.regions_to_judge(some_boxes(40), boxes[:0], labels[:0])
    assert len(empty[0]) == 12 and not empty[1].any() and not empty[2].any()
