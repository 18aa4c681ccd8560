"""The sliding window: what makes it itself."""

import torch

from course_lib.methods.detection.patch_cnn_detector import PatchCNNDetector
from course_lib.metrics import detection as metrics
from tests.detection.made_up import FACTS, disc_batch


def test_patch_cnn_takes_a_forward_pass_for_each_window():
    batch = disc_batch(2)
    for stride in (4, 8):
        method = PatchCNNDetector(stride=stride).fresh(FACTS).eval()
        seen = []
        method.network.register_forward_hook(lambda m, i, o, seen=seen: seen.append(len(i[0])))
        with torch.no_grad():
            method.predict(batch)
        assert sum(seen) == 2 * (64 // stride) ** 2


def test_patch_cnn_mines_the_hardest_and_can_leave_it():
    assert [stage.name for stage in PatchCNNDetector().stages] == ["balanced", "hard"]
    assert "hard" not in [stage.name for stage in PatchCNNDetector(mining=False).stages]
    batch, losses = disc_batch(), {}
    batch["image"][:, :, :, :10] = 200.0  # a wall that looks like an object to a bright-is-yes net
    for stage in ("balanced", "hard"):
        torch.manual_seed(0)
        method = PatchCNNDetector().fresh(FACTS)
        method.stage = stage
        method.network = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 1)
        )
        with torch.no_grad():
            method.network[-1].weight.fill_(4.0)
            method.network[-1].bias.fill_(3.0)
        ((_, losses[stage]),) = method.losses(batch)
    assert losses["hard"] > 1.2 * losses["balanced"]


def test_patch_cnn_training_is_balanced_and_windows_do_not_overlap_after_suppression():
    method, seen = PatchCNNDetector(mining=False).fresh(FACTS), []
    method.network.register_forward_hook(lambda m, i, o: seen.append(len(o)))
    next(iter(method.losses(disc_batch())))
    assert seen == [2 * 8 * 4]  # eight on and eight off, in each of four images
    with torch.no_grad():
        answer = method.eval().predict(disc_batch(1))
    boxes = answer["boxes"][0][answer["scores"][0] > -torch.inf]
    assert (metrics.box_iou(boxes, boxes) - torch.eye(len(boxes))).max() <= 0.1


def test_the_side_of_a_box_is_the_median_of_the_training_boxes_and_forgotten(splits):
    train = splits("detection").train
    there = train["labels"] >= 0
    sides = (train["boxes"][..., 2:] - train["boxes"][..., :2])[there].mean(-1)
    method = PatchCNNDetector().fresh(train.facts)
    unknown = method.side.clone()
    method.begin("balanced", train)
    assert method.side == sides.median() != unknown
    assert method.fresh(train.facts).side == unknown
