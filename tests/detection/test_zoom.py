"""Detectors' augmentation: boxes stay on what they are around."""

import torch

from course_lib.parts.detection.zoom import Zoom

WINDOW = (-1000.0, 400.0)


def squares(count: int = 40):
    """Black images with one bright square each, and a place for a box that is none."""
    image = torch.full((count, 2, 48, 64), -1000.0)
    image[:, :, 16:28, 30:46] = 400.0
    boxes = torch.tensor([[16.0, 30.0, 28.0, 46.0], [0.0] * 4]).expand(count, 2, 4).contiguous()
    labels = torch.tensor([0, -1]).expand(count, 2).contiguous()
    return {"image": image, "boxes": boxes, "labels": labels, "part": torch.zeros(count)}


def test_boxes_stay_around_what_they_are_of():
    batch = squares()
    found = Zoom(gain=0, offset=0)(batch, WINDOW, torch.Generator().manual_seed(0))
    rows, columns = torch.arange(48) + 0.5, torch.arange(64) + 0.5
    for image, (box, none), labels in zip(
        found["image"][:, 0], found["boxes"], found["labels"], strict=True
    ):
        bright = image > -300
        for axis, places, first, last in ((1, rows, 0, 2), (0, columns, 1, 3)):
            there = places[bright.any(axis)]
            assert abs(float(there.min()) - 0.5 - float(box[first])) < 1.01
            assert abs(float(there.max()) + 0.5 - float(box[last])) < 1.01
        assert labels.tolist() == [0, -1] and not none.any()
    sides = found["boxes"][::2, 0, 2:] - found["boxes"][::2, 0, :2]
    assert sides[:, 0].max() > 13.5 and sides[:, 1].min() < 14 and sides.std(0).min() > 0.8


def test_every_second_image_stays_and_nothing_is_changed_in_place():
    batch = squares()
    before = {name: value.clone() for name, value in batch.items()}
    found = Zoom()(batch, WINDOW)
    for name in batch:
        assert torch.equal(batch[name], before[name])
        assert torch.equal(found[name][1::2], batch[name][1::2])
    assert not torch.equal(found["image"][::2], batch["image"][::2])


def test_a_box_that_leaves_the_image_is_none():
    batch = squares(200)
    batch["boxes"][:, 0] = torch.tensor([0.0, 0.0, 8.0, 8.0])
    found = Zoom(scale=0, shift=0.5)(batch, WINDOW, torch.Generator().manual_seed(0))
    gone = found["labels"][::2, 0] < 0
    assert 0.3 < gone.float().mean() < 0.9
    assert not found["boxes"][::2, 0][gone].any()
    left = found["boxes"][::2, 0][~gone]
    assert left.min() >= 0 and ((left[:, 2:] - left[:, :2]).prod(1) >= 0.4 * 64 - 1e-3).all()
