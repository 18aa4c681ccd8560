"""Detection: who is tested, what boxes and dates mean; and what makes each method itself."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib import catalogue
from course_lib.data import own
from course_lib.data.lesions import grounds, slices
from course_lib.methods.detection import faster_rcnn, retinanet
from course_lib.methods.detection.blob_detector import BlobDetector
from course_lib.methods.detection.growth_rule import GrowthRule
from course_lib.methods.detection.lag_alone import LagAlone
from course_lib.methods.detection.patch_cnn_detector import PatchCNNDetector
from course_lib.methods.detection.previous_label import PreviousLabel
from course_lib.methods.detection.tlstm import TLSTM, Cell
from course_lib.metrics import detection as metrics
from course_lib.metrics.classification import auc_per_case
from course_lib.metrics.detection import Boxes
from course_lib.parts.detection import boxes as parts
from course_lib.parts.detection.roi_align import roi_align
from course_lib.physics import growth
from course_lib.tasks.detection import nodules as task

DEFAULT = "chest_ct+lung_tumours/nodules"


@pytest.fixture
def cases(splits):
    return splits("detection")


@pytest.fixture
def series(splits):
    return splits("detection", "series/irregular")


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def some_boxes(count, seed=0, extent=100.0):
    start = random(count, 2, seed=seed) * (extent - 25)
    return torch.cat([start, start + 4 + 20 * random(count, 2, seed=seed + 1)], 1)


def disc_batch(count=4, size=64):
    """Bright discs on dark, one each: what any detector must find."""
    place = torch.arange(size) + 0.5
    centre = 16 + (size - 32) * random(count, 2)
    radius = 3 + 3 * random(count, seed=1)
    distance = (place[:, None] - centre[:, 0, None, None]) ** 2 + (
        place - centre[:, 1, None, None]
    ) ** 2
    image = -900 + 900 * (distance.sqrt() < radius[:, None, None]).float()
    box = torch.cat([centre - radius[:, None], centre + radius[:, None]], 1)
    return {
        "image": image[:, None] + 40 * torch.randn(count, 1, size, size),
        "boxes": box[:, None],
        "labels": torch.zeros(count, 1, dtype=torch.long),
        "ignore": torch.zeros(count, 1, 4),
        "part": torch.zeros(count, dtype=torch.long),
        "classes": torch.ones(count, dtype=torch.long),
    }


# --- the task


@pytest.mark.parametrize("dataset", [DEFAULT, "series/irregular"])
def test_nodule_patients_and_lungs_of_the_test_are_in_no_other_part(splits, dataset):
    found = splits("detection", dataset)
    known = {
        name: set(getattr(found, name)["nodules"].flatten().tolist()) - {-1}
        for name in ("train", "validation", "test")
    }
    assert all(known.values())
    assert not known["train"] & known["test"] and not known["train"] & known["validation"]
    assert not known["validation"] & known["test"]
    lungs = {part: {name.split("/")[0] for name in getattr(found, part).case} for part in known}
    assert lungs["train"] == lungs["validation"] == {"LIDC-IDRI-0001"}
    for name, group in zip(found.test.case, found.test.group, strict=True):
        assert group.startswith("same patient") == name.startswith("LIDC-IDRI-0001")
    assert len(lungs["test"] - lungs["train"]) == 4
    split = own.subject_split(list(slices.by_patient()))
    for part, numbers in known.items():
        assert all(split[f"LIDC-IDRI-{number:04d}"] == part for number in numbers)


def test_blocks_of_the_training_patient_lie_apart(cases):
    blocks = [set(task.TRAIN_ROWS), set(task.VALIDATION_ROWS), set(task.TEST_ROWS)]
    for k, one in enumerate(blocks):
        for other in blocks[k + 1 :]:
            assert min(abs(a - b) for a in one for b in other) > 4
    rows = {int(name.rpartition("/z")[2]) for name in cases.train.case}
    assert rows <= blocks[0]


def test_boxes_hold_something_brighter_than_the_lung_around(cases):
    brighter = []
    for k in range(len(cases.train)):
        boxes, _ = parts.targets(cases.train.tensors, k)
        image = cases.train["image"][k, 0]
        for top, left, bottom, right in boxes.long().tolist():
            assert 0 <= top < bottom <= 128 and 0 <= left < right <= 128
            inside = image[top:bottom, left:right].mean()
            brighter.append(
                float(inside - image[top - 3 : bottom + 3, left - 3 : right + 3].mean())
            )
    assert len(brighter) >= 3 and np.median(brighter) > 30


def test_a_mask_becomes_the_smallest_box():
    mask = np.zeros((20, 20), bool)
    mask[3:9, 5:12] = True
    assert slices._box(mask).tolist() == [3, 5, 9, 12]
    assert slices._box(mask[:5]) is None  # two rows: too thin


def test_lung_is_dark_but_not_the_air_around_the_body():
    image = np.full((6, 60, 60), -1000, np.float32)
    image[:, 8:52, 8:52] = 40
    image[:, 14:46, 14:30] = -800
    lung = grounds.dark_lung(image)
    assert lung[:, 18:42, 18:26].all() and not lung[:, :6].any() and not lung[:, :, 34:].any()


def test_mirrored_training_slices_keep_their_boxes():
    batch = disc_batch(8)
    train = type("Train", (), {})  # what `sample` needs of Cases
    train.tensors, train.device = batch, torch.device("cpu")
    train.__len__ = lambda self: 8
    train.batch = lambda self, index: {k: v[index] for k, v in batch.items()}
    drawn = task.sample(train(), "smoke", 16, torch.Generator().manual_seed(0))
    for image, box in zip(drawn["image"][:, 0], drawn["boxes"][:, 0], strict=True):
        inside = (image > -400).nonzero().float()
        assert torch.allclose(inside.amin(0), box[:2], atol=1.5)
        assert torch.allclose(inside.amax(0) + 1, box[2:], atol=1.5)
    assert len({round(float(b), 2) for b in drawn["boxes"][:, 0, 0]}) > 8  # both ways occur


def test_perfect_boxes_score_100_and_none_score_0(cases):
    batch = cases.test.tensors
    perfect = parts.padded(
        [
            (box, torch.ones(len(box)), label)
            for box, label in (parts.targets(batch, k) for k in range(len(batch["boxes"])))
        ]
    )
    scores = task.score(perfect, batch)
    for part in batch["part"].unique():
        chosen = batch["part"] == part
        for name in ("froc", "average_precision", "average_precision_50"):
            assert scores[name][chosen].mean() == pytest.approx(100, abs=1e-3)
    nothing = task.score(
        parts.padded([(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0))] * 6), batch
    )
    assert nothing["froc"].sum() == 0 and nothing["average_precision"].sum() == 0


def test_what_lies_in_the_patients_own_tumour_is_no_false_alarm():
    batch = disc_batch(1)
    answer = parts.padded([(torch.tensor([[40.0, 40, 50, 50]]), torch.ones(1), torch.zeros(1))])
    assert len(parts.as_lists(answer, batch)[0][0].boxes) == 1
    batch["ignore"] = torch.tensor([[[35.0, 35, 60, 60]]])
    assert len(parts.as_lists(answer, batch)[0][0].boxes) == 0


def test_pictures_show_boxes_misses_and_false_alarms():
    batch = disc_batch(2)
    far = torch.tensor([[2.0, 2, 8, 8]])
    panels = task.pictures(parts.padded([(far, torch.ones(1), torch.zeros(1))] * 2), batch)
    assert list(panels) == ["input", "output", "truth", "error"]
    error = panels["error"].values
    assert (error == -1).any() and set(error.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert not torch.equal(panels["truth"].values, panels["input"].values)


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
    share = metrics.froc_per_case(found, truth)
    assert share.mean() == pytest.approx(float(metrics.froc(found, truth).mean()), rel=1e-5)
    share = metrics.average_precision_per_case(found, truth, 0.5)
    coco = float(metrics.mean_average_precision(found, truth, (0.5,)))
    assert share.mean() == pytest.approx(coco, abs=0.02)
    empty = [k for k, one in enumerate(truth) if not len(one.boxes)]
    assert not share[empty].any()


def test_average_precision_counted_by_hand():
    truth = [Boxes(torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.zeros(2))]
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]])
    found = [Boxes(boxes, torch.zeros(3), torch.tensor([0.9, 0.8, 0.7]))]
    share = metrics.average_precision_per_case(found, truth, 0.5)
    assert share.item() == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision_per_case(found, [Boxes(boxes[:0], torch.zeros(0))]).isnan()


# --- what detectors share


def test_code_and_anchor_give_back_the_box_and_anchors_lie_on_their_cells():
    anchor = parts.anchors(3, 4, 8, (6.0, 10.0), (1.0, 2.0))
    assert anchor.shape == (3 * 4 * 4, 4)
    middle = (anchor[:, :2] + anchor[:, 2:]) / 2
    assert middle[0].tolist() == [4, 4] and middle[-1].tolist() == [20, 28]
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


def test_roi_align_of_a_plane_is_the_plane_at_the_bins_middles():
    """Bilinear samples of a linear map are exact: closed form."""
    y, x = torch.meshgrid(4 * (torch.arange(16) + 0.5), 4 * (torch.arange(12) + 0.5), indexing="ij")
    maps = torch.stack([y, x, y * 0 + 7])[None].repeat(2, 1, 1, 1)
    boxes = torch.tensor([[8.0, 6, 38, 26], [11.3, 5.5, 20, 33.7]])
    out = roi_align(maps, boxes, torch.tensor([1, 0]), stride=4, size=5)
    assert out.shape == (2, 3, 5, 5)
    step = (torch.arange(5) + 0.5) / 5
    for k, (top, left, bottom, right) in enumerate(boxes):
        assert torch.allclose(out[k, 0, :, 2], top + step * (bottom - top), atol=1e-3)
        assert torch.allclose(out[k, 1, 2], left + step * (right - left), atol=1e-3)
        assert torch.allclose(out[k, 2], torch.tensor(7.0))
    other = roi_align(torch.stack([maps[0], -maps[0]]), boxes, torch.tensor([1, 0]), 4)
    assert torch.allclose(other[0], -out[0]) and torch.allclose(other[1], out[1])


# --- the methods: the catalogue's faithful minimum


def test_blob_detector_finds_discs_with_their_size():
    batch = disc_batch()
    answer = BlobDetector().predict(batch)
    overlap = torch.stack(
        [
            metrics.box_iou(a[:1], b)[0, 0]
            for a, b in zip(answer["boxes"], batch["boxes"], strict=True)
        ]
    )
    assert (overlap > 0.5).all()
    assert len({tuple(s.items()) for s in BlobDetector.grid}) == len(BlobDetector.grid) >= 8


def test_patch_cnn_takes_a_forward_pass_for_each_window():
    batch = disc_batch(2)
    for stride in (4, 8):
        method = PatchCNNDetector(stride=stride).eval()
        seen = []
        method.network.register_forward_hook(lambda m, i, o, seen=seen: seen.append(len(i[0])))
        with torch.no_grad():
            method.predict(batch)
        assert sum(seen) == method.forwards == 2 * (64 // stride) ** 2


def test_patch_cnn_mines_the_hardest_and_can_leave_it():
    assert [stage.name for stage in PatchCNNDetector().stages] == ["balanced", "hard"]
    assert "hard" not in [stage.name for stage in PatchCNNDetector(mining=False).stages]
    batch, losses = disc_batch(), {}
    batch["image"][:, :, :, :10] = 200.0  # a wall that looks like an object to a bright-is-yes net
    for stage in ("balanced", "hard"):
        torch.manual_seed(0)
        method = PatchCNNDetector()
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
    method, seen = PatchCNNDetector(), []
    method.network.register_forward_hook(lambda m, i, o: seen.append(len(o)))
    next(iter(method.losses(disc_batch())))
    assert seen == [2 * 8 * 4]  # eight on and eight off, in each of four images
    with torch.no_grad():
        answer = method.eval().predict(disc_batch(1))
    boxes = answer["boxes"][0][answer["scores"][0] > -torch.inf]
    assert (metrics.box_iou(boxes, boxes) - torch.eye(len(boxes))).max() <= 0.1


def test_focal_loss_is_the_papers_and_cross_entropy_at_gamma_0():
    logits, truth = torch.tensor([2.0, 2.0, -3.0]), torch.tensor([1.0, 0.0, 0.0])
    p = logits.sigmoid().tolist()
    wanted = [
        -0.25 * (1 - p[0]) ** 2 * math.log(p[0]),
        -0.75 * p[1] ** 2 * math.log(1 - p[1]),
        -0.75 * p[2] ** 2 * math.log(1 - p[2]),
    ]
    assert torch.allclose(retinanet.focal_loss(logits, truth), torch.tensor(wanted), rtol=1e-4)
    plain = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    assert torch.allclose(retinanet.focal_loss(logits, truth, 0.0, -1.0), plain)


def test_retinanet_starts_at_the_prior_and_uses_every_anchor():
    method, batch = retinanet.RetinaNet().eval(), disc_batch(2)
    with torch.no_grad():
        logits, codes, every = method(batch["image"])
    assert logits.sigmoid().mean() == pytest.approx(0.01, rel=0.3)
    assert len(every) == 3 * (16**2 + 8**2 + 4**2) == logits.shape[1] == codes.shape[1]
    logits = torch.zeros(1, 50, 1, requires_grad=True)
    truth = torch.zeros_like(logits)
    truth[0, 3] = 1
    known = torch.ones(1, 50, 1, dtype=torch.bool)
    method._class_loss(logits, truth, known).backward()
    assert (logits.grad != 0).all()  # no sampling of negatives
    ohem = retinanet.RetinaNet(loss="ohem")
    logits = random(1, 50, 1).requires_grad_()
    ohem._class_loss(logits, truth, known).backward()
    assert (logits.grad != 0).sum() == 4  # the positive and its three hardest


def test_retinanet_normalises_by_positives_and_counts_them():
    batch, method = disc_batch(1), retinanet.RetinaNet()
    method.eval()
    twice = {key: torch.cat([value, value]) for key, value in batch.items()}
    values = []
    for each in (batch, twice):
        ((_, loss),) = method.losses(each)
        values.append(loss.item())
        positives, negatives = method.counts.tolist()
        assert positives >= len(each["boxes"]) and negatives > 50 * positives
    assert values[0] == pytest.approx(values[1], rel=1e-3)  # not by images, not by anchors


def test_faster_rcnn_has_two_stages_on_one_backbone(cases):
    method, batch = faster_rcnn.FasterRCNN(proposals=7).eval(), disc_batch(2)
    seen = []
    method.features.register_forward_hook(lambda m, i, o: seen.append("backbone"))
    method.head.register_forward_hook(lambda m, i, o: seen.append(tuple(i[0].shape)))
    with torch.no_grad():
        answer = method.predict(batch)
        *_, found = method.propose(batch["image"])
    assert seen[0] == "backbone" and len(seen) == 3  # one pass of each, then `propose` again
    assert seen[1][1:] == (32, 5, 5) and seen[1][0] == sum(len(each) for each in found)
    assert all(len(each) <= 7 for each in found)
    for each in found:
        assert (metrics.box_iou(each, each) - torch.eye(len(each))).max() <= 0.5
    assert (answer["scores"] > -torch.inf).sum(1).max() <= 7
    assert all(value > 0 for value in method.seconds.values())


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
    method, batch = faster_rcnn.FasterRCNN(), disc_batch(2)
    ((_, loss),) = method.losses(batch)
    loss.backward()
    for module in (method.features, method.rpn, method.objectness, method.deltas, method.head):
        assert any(p.grad.abs().max() > 0 for p in module.parameters())


# --- series


def auc(score, fast):
    """Area under the ROC curve of any score, 0 to 1."""
    ranks = score.double().argsort().argsort() / len(score)
    return float(auc_per_case(torch.stack([1 - ranks, ranks], 1), fast.long()).mean())


def test_neither_lag_nor_size_tells_much_alone_and_together_all():
    last = torch.randint(2, 6, (8000,), generator=torch.Generator().manual_seed(1))
    course = growth.courses(8000, 6, torch.Generator().manual_seed(0), None, last)
    at = {
        "lag": course["days"].diff(dim=1),
        "step": course["volume"].log2().diff(dim=1),
        "size": course["volume"][:, 1:],
        "fast": course["fast"][:, 1:],
    }
    at = {name: values.gather(1, last[:, None] - 1)[:, 0] for name, values in at.items()}
    assert at["fast"].mean() == 0.5 and (course["fast"][:, 0] == -1).all()
    assert 0.65 < auc(-at["lag"], at["fast"]) < 0.735
    assert 0.5 < auc(at["step"], at["fast"]) < 0.61
    assert 0.5 < auc(at["size"], at["fast"]) < 0.58
    assert auc(at["step"] / at["lag"], at["fast"]) > 0.999
    before = course["fast"].gather(1, last[:, None] - 1)[:, 0]
    assert auc(before, at["fast"]) == pytest.approx(growth.STAYS, abs=0.02)


def test_doubling_times_lie_on_their_side_of_400_days():
    course = growth.courses(4000, 6, torch.Generator().manual_seed(0))
    volume, lag = course["volume"], course["days"].diff(dim=1)
    fast = course["fast"][:, 1:] == 1
    time = growth.doubling_time(volume[:, :-1], volume[:, 1:], lag)
    assert (time[fast] < 400).all() and (time[~fast] > 400).all()
    assert lag.std() > 100  # irregular
    assert volume.max() <= 2 ** (growth.MOST_DOUBLINGS + 1e-3)
    same = (course["fast"][:, 2:] == course["fast"][:, 1:-1]).float().mean()
    assert same == pytest.approx(growth.STAYS, abs=0.02)


def test_in_regular_courses_sizes_tell_all_and_lags_nothing():
    regular = growth.courses(400, 6, torch.Generator().manual_seed(0), 180.0)
    assert torch.allclose(regular["days"].diff(dim=1), torch.tensor(180.0))
    step, fast = regular["volume"].log2().diff(dim=1), regular["fast"][:, 1:] == 1
    assert step[fast].min() > step[~fast].max()


def test_visits_are_in_order_and_padding_is_marked(series):
    batch = series.train.tensors
    for days, growth_, visits in zip(batch["days"], batch["growth"], batch["visits"], strict=True):
        assert (days[:visits].diff() > 0).all() and not days[visits:].any()
        assert (
            (growth_[1:visits] >= 0).all() and growth_[0] == -1 and (growth_[visits:] == -1).all()
        )


@pytest.fixture(scope="module")
def training_series():
    """Of profile class: 480 series of training patients."""
    return task.make("series/irregular", "class", 0).train


def series_auc(method, batch):
    return float(task.score(method.predict(batch), batch)["auc"].mean())


def test_the_rule_measures_growth_and_no_rule_without_images_comes_near(training_series):
    batch, rule = training_series.tensors, GrowthRule()
    rule.set({"threshold": -700.0, "blur": 0.0})
    measured = series_auc(rule, batch)
    assert measured > 85
    rolled = batch | {"series": batch["series"].roll(1, 0)}  # another series' images
    assert series_auc(rule, rolled) < 75
    rule.dates = False
    assert series_auc(rule, batch) < 65
    for blind, most in ((LagAlone(), 75), (PreviousLabel(), 75), (LagAlone(label=True), 84)):
        blind.prepare(training_series)
        assert 60 < series_auc(blind, batch) < min(most, measured - 4)


def test_lag_alone_and_previous_label_see_no_image_and_no_label_of_the_visit(training_series):
    batch = training_series.batch(slice(0, 8))
    own = batch["growth"].clone()
    last = (batch["visits"] - 1)[:, None]
    own.scatter_(1, last, 1 - own.gather(1, last))
    other = batch | {"series": torch.zeros_like(batch["series"]), "growth": own}
    later = batch | {"days": 3 * batch["days"]}
    for blind, dated in (
        (LagAlone(), True),
        (LagAlone(label=True), True),
        (PreviousLabel(), False),
    ):
        blind.prepare(training_series)
        fast = [blind.predict(each)["fast"].gather(1, last) for each in (batch, other, later)]
        assert torch.equal(fast[0], fast[1])
        assert torch.equal(fast[0], fast[2]) != dated
    assert blind.stays == pytest.approx(growth.STAYS, abs=0.04)


def test_series_are_asked_for_auc_and_slices_for_froc():
    asked = {name: task.TASK.on(name).headline for name in task.TASK.sources}
    assert asked[DEFAULT] == "froc" and asked["series/regular"] == "auc"
    assert task.TASK.on("path:some/folder").headline == "froc"
    tlstm, detector = catalogue.entry("tlstm"), catalogue.entry("retinanet")
    assert tlstm.fits("series/regular") and not tlstm.fits(DEFAULT)
    assert not tlstm.fits("path:x") and detector.fits("path:x") and not detector.fits("series/x")


@pytest.mark.parametrize("time", ["gates", "cell", "none"])
def test_the_lag_enters_gates_or_state_or_nothing(time):
    torch.manual_seed(0)
    cell = Cell(4, 5, time)
    x, label, c = torch.randn(2, 4), torch.zeros(2, 2), torch.randn(2, 5)
    lag = torch.full((2, 1), 0.5, requires_grad=True)
    h, state = cell(x, label, lag, c)
    gates = (cell.image(x) + (cell.lag(lag) if time == "gates" else 0)).chunk(4, 1)
    put, forget, output = (torch.sigmoid(g) for g in gates[:3])
    wanted = forget * c + put * torch.tanh(gates[3])
    wanted = wanted + cell.lag(lag) if time == "cell" else wanted
    assert torch.allclose(state, wanted) and torch.allclose(h, output * torch.tanh(wanted))
    assert hasattr(cell, "lag") == (time != "none")
    if time == "cell":
        assert cell.lag.out_features == 5
    if time == "gates":
        assert cell.lag.out_features == 20


def test_a_visits_own_label_and_later_visits_never_reach_its_answer(series):
    batch = {key: value[:2].clone() for key, value in series.train.tensors.items()}
    torch.manual_seed(0)
    method = TLSTM().eval()
    with torch.no_grad():
        before = method(batch)
        for visit in range(1, 3):
            other = batch | {"growth": batch["growth"].clone(), "series": batch["series"].clone()}
            other["growth"][:, visit] = 1 - other["growth"][:, visit].clamp_min(0)
            other["series"][:, visit + 1 :] += 300
            after = method(other)
            assert torch.allclose(before[:, : visit + 1], after[:, : visit + 1])
            assert not torch.allclose(before[:, visit + 1], after[:, visit + 1])


def test_controls_without_dates_or_memory_and_with_shuffled_lags(series):
    batch = series.train.batch(slice(0, 3))
    later = batch | {"days": 3 * batch["days"]}
    with torch.no_grad():
        for options, moved in (({}, True), ({"time": "cell"}, True), ({"time": "none"}, False)):
            torch.manual_seed(0)
            method = TLSTM(**options).eval()
            assert torch.allclose(method(batch), method(later)) != moved
        torch.manual_seed(0)
        alone = TLSTM(memory=False, time="none").eval()
        first = alone(batch)
        assert torch.allclose(first, alone(batch | {"growth": -torch.ones_like(batch["growth"])}))
        torch.manual_seed(0)
        shuffled = TLSTM(shuffle_lags=True).eval()
        torch.manual_seed(0)
        plain = TLSTM().eval()
        rolled = batch | {"days": batch["days"].roll(1, 0)}
        assert torch.allclose(shuffled(batch), plain(rolled))


# --- data of one's own


def test_own_pictures_with_boxes_are_shrunk_with_their_boxes():
    draw = np.random.default_rng(0)
    images = tuple(draw.random((3, 240, 320), dtype=np.float32) for _ in range(5))
    boxed = own.Boxed(
        source="here",
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=images,
        boxes=tuple(np.array([[20, 40, 60, 100]] * k, np.float32).reshape(-1, 4) for k in range(5)),
        labels=tuple(np.arange(k) % 2 for k in range(5)),
        classes=("a", "b"),
        names=tuple("vwxyz"),
    )
    found = task.own_cases(boxed, "class", 0)
    subjects = [set(part.subject) for part in (found.train, found.validation, found.test)]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 5
    assert found.train["image"].shape[1:] == (3, 128, 160)
    everything = torch.cat([p["boxes"].flatten(0, 1) for p in (found.train, found.test)])
    labels = torch.cat([p["labels"].flatten() for p in (found.train, found.test)])
    assert everything[labels >= 0].unique(dim=0).tolist() == [[10.0, 20.0, 30.0, 50.0]]
    method = retinanet.RetinaNet()
    method.prepare(found.train)
    with torch.no_grad():
        answer = method.eval().predict(found.train.tensors)
    assert set(answer["labels"].unique().tolist()) <= {-1, 0, 1}
    assert set(task.score(answer, found.train.tensors)) == set(task.TASK.on("path:x").metrics)


# --- the widget


def test_the_threshold_moves_boxes_and_the_point_on_the_froc_curve():
    from course_lib.lesson.widgets.detector import Answers, detector_explorer

    batch = disc_batch()
    answer = BlobDetector().predict(batch)
    answers = Answers(answer, batch)
    low, high = answers.range
    assert answers.point(high) == (0.0, 0.0) and answers.point(low - 1)[1] == 100.0
    found, truth = parts.as_lists(answer, batch)
    for rate in (0.5, 2.0):
        threshold = float(metrics.threshold(answers.alarms, rate * 4))
        alarms, share = answers.point(threshold)
        assert alarms <= rate
        assert share == pytest.approx(100 * float(metrics.froc(found, truth, rates=(rate,))))
    hits, alarms, true = answers.boxes(0, low - 1)
    assert len(hits) >= 1 and len(true) == 1 and len(hits) + len(alarms) == len(found[0].boxes)
    explorer = detector_explorer(answer, batch)
    before = explorer.picture.alt
    explorer.controls["threshold"].value = low
    assert explorer.picture.alt != before and "false alarms" in explorer.picture.alt
