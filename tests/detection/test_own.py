"""Pictures of one's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.cases import Facts
from course_lib.data.own import Boxed
from course_lib.errors import CourseError
from course_lib.methods.detection import faster_rcnn, retinanet
from course_lib.metrics.detection import box_iou
from course_lib.parts.cells import Cells
from course_lib.parts.detection.boxes import anchors
from course_lib.tasks.detection import anchor_sides, own
from tests.denoising import example as other
from tests.detection.example import own_splits, pictures


def test_own_pictures_with_boxes_are_shrunk_with_their_boxes():
    draw = np.random.default_rng(0)
    images = tuple(draw.random((3, 240, 320), dtype=np.float32) for _ in range(5))
    boxed = Boxed(
        source="here",
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=images,
        boxes=tuple(np.array([[20, 40, 60, 100]] * (k + 1), np.float32) for k in range(5)),
        labels=tuple(np.arange(k + 1) % 2 for k in range(5)),
        classes=("a", "b"),
        names=tuple("vwxyz"),
        subjects=tuple("vwxyz"),
    )
    found = own.own_cases(boxed, "class", 0)
    subjects = [set(part.subject) for part in (found.train, found.validation, found.test)]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 5
    assert found.train["image"].shape[1:] == (3, 128, 160)
    everything = torch.cat([p["boxes"].flatten(0, 1) for p in (found.train, found.test)])
    labels = torch.cat([p["labels"].flatten() for p in (found.train, found.test)])
    assert everything[labels >= 0].unique(dim=0).tolist() == [[10.0, 20.0, 30.0, 50.0]]
    assert found.facts.classes == 2 and found.facts.class_names == ("a", "b")
    assert found.facts.channels == 3
    method = retinanet.RetinaNet().fresh(found.facts)
    with torch.no_grad():
        answer = method.eval().predict(found.train.tensors)
    assert set(answer["labels"].unique().tolist()) <= {-1, 0, 1}
    scores = own.QUESTION.score(answer, found.train.tensors, found.facts)
    assert set(scores) == set(own.QUESTION.of(found.facts).metrics)


def test_pictures_of_several_sizes_share_one_grid_and_grey_is_on_the_scale_of_a_ct():
    boxed, found = pictures(), own_splits()
    for part in (found.train, found.validation, found.test):
        assert part["image"].shape[1:] == (3, 160, 160)
        assert part["image"].amin() >= -1000 and part["image"].amax() <= 400
        for k, name in enumerate(part.case):
            wide = boxed.images[boxed.names.index(name)].shape[2] > 60
            margin = part["image"][k, :, 120:] if wide else part["image"][k, :, :, 96:]
            assert (margin == -1000).all()
            for box, label in zip(part["boxes"][k], part["labels"][k], strict=True):
                top, left, bottom, right = box.round().long().tolist()
                if label >= 0:  # red is the first channel, blue the last
                    middle = part["image"][k, :, (top + bottom) // 2, (left + right) // 2]
                    assert middle[2 * label] > 100 > -500 > middle[1]


def test_scans_are_refused():
    with pytest.raises(CourseError, match="pictures with boxes"):
        own.own_cases(other.scans(), "smoke", 0)


def test_the_headline_is_cocos_and_classes_have_their_own_column():
    pytest.importorskip("pycocotools")
    found, batch = own_splits(), own_splits().test.tensors
    there = (batch["labels"] >= 0)[..., None]
    draw = torch.Generator().manual_seed(0)
    moved = batch["boxes"] + 3 * torch.rand(batch["boxes"].shape, generator=draw) * there
    scores = torch.rand(batch["labels"].shape, generator=draw)
    answer = {
        "boxes": moved,
        "labels": batch["labels"],
        "scores": scores.masked_fill(batch["labels"] < 0, -torch.inf),
    }
    question = own.QUESTION.of(found.facts)
    assert question.headline == "mean_average_precision"
    ours = question.score(answer, batch, found.facts)
    whole, half = pycoco(answer, batch)
    assert float(ours["mean_average_precision"].mean()) == pytest.approx(100 * whole, abs=1e-3)
    assert float(ours["average_precision_50"].mean()) == pytest.approx(100 * half, abs=1e-3)
    assert question.metrics["average_precision_50_blue"].name == "AP50 of blue"


def pycoco(answer, batch):
    """COCO's own evaluation: mAP and AP50."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(of):
        return [
            {"image_id": k, "category_id": int(label), "bbox": [left, t, r - left, b - t],
             "score": s, "area": (r - left) * (b - t), "iscrowd": 0}
            for k in range(len(of["labels"]))
            for (t, left, b, r), label, s in zip(
                of["boxes"][k].double().tolist(), of["labels"][k], of["scores"][k].tolist(),
                strict=True,
            )
            if label >= 0
        ]  # fmt: skip

    truth = rows(batch | {"scores": torch.ones_like(answer["scores"])})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": k} for k in range(len(batch["labels"]))],
        "categories": [{"id": 0}, {"id": 1}],
        "annotations": [row | {"id": k + 1} for k, row in enumerate(truth)],
    }
    coco.createIndex()
    judge = COCOeval(coco, coco.loadRes(rows(answer)), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge.stats[0], judge.stats[1]


@pytest.mark.parametrize("proposed", [False, True])
def test_nine_of_ten_boxes_of_every_class_have_an_anchor(proposed):
    """Boxes as of blood cells: many red ones, few white ones, small platelets."""
    draw = torch.Generator().manual_seed(0)
    sides = {0: (24.0, 2.5, 600), 1: (48.0, 6.0, 40), 2: (9.5, 1.5, 60)}
    boxes, labels = [], []
    for label, (mean, spread, count) in sides.items():
        side = (mean + spread * torch.randn(count, 2, generator=draw)).clamp_min(5)
        start = torch.rand(count, 2, generator=draw) * (160 - side)
        boxes.append(torch.cat([start, start + side], 1))
        labels.append(torch.full((count,), label))
    boxes, labels = torch.cat(boxes), torch.cat(labels)
    fitting = anchor_sides.fitting(boxes, labels)
    levels = (
        [(4, fitting.proposed)] if proposed else list(zip((4, 8, 16), fitting.sides, strict=True))
    )
    every = torch.cat(
        [anchors(160 // s, 160 // s, Cells(s), each, fitting.ratios) for s, each in levels if each]
    )
    hit = box_iou(boxes, every).amax(1) >= 0.5
    for label in sides:
        assert hit[labels == label].float().mean() >= 0.9


def test_long_boxes_get_long_anchors():
    tall = torch.tensor([[0.0, 0, 60, 15]]).repeat(50, 1)
    fitting = anchor_sides.fitting(tall, torch.zeros(50, dtype=torch.long))
    assert 4.0 in fitting.ratios
    every = anchors(40, 40, Cells(4), fitting.proposed, fitting.ratios)
    assert box_iou(tall, every).max() > 0.7


def test_detectors_take_anchors_and_regions_from_the_facts():
    facts = own_splits().facts
    method = faster_rcnn.FasterRCNN().fresh(facts)
    assert method.sides == facts.proposal_sides
    assert faster_rcnn.FasterRCNN().fresh(facts | {"most_boxes": 40}).regions == 80
    built = Facts(dims=2, channels=1, classes=1, window=(0.0, 1.0))  # as of nodules
    assert faster_rcnn.FasterRCNN().fresh(built).regions == 32
    assert retinanet.RetinaNet().fresh(built).sides == retinanet.SIDES


def test_small_boxes_make_pictures_larger_up_to_a_limit():
    data = pictures()
    small = replace(data, boxes=tuple(each[:, [0, 1, 0, 1]] + [0, 0, 2, 2] for each in data.boxes))
    small = replace(small, boxes=tuple(each.astype(np.float32) for each in small.boxes))
    assert max(own.own_cases(data, "class", 0).train["image"].shape[2:]) == 160
    found = own.own_cases(small, "class", 0)
    assert 160 < max(found.train["image"].shape[2:]) <= 320
    sides = found.train["boxes"][found.train["labels"] >= 0]
    assert (sides[:, 2:] - sides[:, :2]).min() > 5.5
    assert any(note.startswith("The longer side of the pictures is 2") for note in found.notes)


def test_a_part_without_a_box_is_refused_before_training():
    data = pictures()
    test = own_splits().test.case
    bare = [name in test for name in data.names]
    boxes = tuple(b[: 0 if no else None] for b, no in zip(data.boxes, bare, strict=True))
    labels = tuple(x[: 0 if no else None] for x, no in zip(data.labels, bare, strict=True))
    with pytest.raises(CourseError, match=r"None of the .* test pictures .* has a box"):
        own.own_cases(replace(data, boxes=boxes, labels=labels), "class", 0)
