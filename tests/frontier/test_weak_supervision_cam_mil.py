"""CAM pseudo-outlines: what may be looked at, and which cases each stage draws."""

import pytest
import torch

from course_lib import device
from course_lib.errors import CourseError
from course_lib.learning import entered
from course_lib.methods.frontier.weak_supervision_cam_mil import WeakSupervisionCAMMIL
from course_lib.parts.frontier import saliency
from course_lib.tasks.frontier import reading
from tests.frontier.look import FACTS, images


def in_stage(name, train, **options):
    """A method that has begun a stage."""
    with device.seeded(0):
        method = WeakSupervisionCAMMIL(**options).fresh(train.facts)
    method.stage = name
    method.begin(name, train)
    return method


def drawn(method, train, count=8):
    """A batch as the method draws it."""
    generator = torch.Generator().manual_seed(0)
    return method.draw(train, lambda some, n: reading.sample(some, "smoke", n, generator), count)


def test_weak_supervision_uses_no_outline_where_there_is_none(cases):
    """Other outlines in the batch, same loss: has_mask decides what may be looked at."""
    train = cases("weak_labels/0_masks").train
    batch = reading.sample(train, "smoke", 4, torch.Generator())
    for stage, wanted in (("classify", "classifier"), ("segment", "outliner")):
        method, values = in_stage(stage, train).train(), []
        method.classifier.train(stage == "classify")  # frozen in the other stages
        for mask in (batch["mask"], ~batch["mask"]):
            with device.seeded(1), torch.no_grad():
                ((player, loss),) = method.losses(batch | {"mask": mask})
            values.append(float(loss))
        assert player == wanted and values[0] == pytest.approx(values[1])
    known = batch | {"has_mask": torch.ones(4, dtype=torch.bool), "mask": ~batch["mask"]}
    with torch.no_grad():
        ((_, with_masks),) = method.losses(known)
    assert float(with_masks) != pytest.approx(values[0])
    method.use_masks = False
    with torch.no_grad():
        ((_, without),) = method.losses(known)
    assert float(without) == pytest.approx(values[0])


def test_pseudo_outlines_lie_where_the_map_is_and_only_in_images_with_a_nodule():
    with device.seeded(0):
        method = WeakSupervisionCAMMIL().fresh(FACTS).eval()
    image = images(4)
    outline = method.pseudo_outline(image, torch.tensor([1, 1, 0, 1]))
    assert set(outline.unique().tolist()) <= {0.0, 1.0} and not outline[2].any()
    assert outline[:2].flatten(1).any(1).all()
    heat = saliency.cam(method.classifier, image)
    assert (heat[outline > 0] > 0).all()
    players = {name: {id(p) for p in own} for name, own in method.players().items()}
    assert not players["classifier"] & players["outliner"]


def test_the_classifier_stands_still_while_the_outliner_learns(cases):
    train = cases("weak_labels/5_masks").train
    with device.seeded(0):
        method = WeakSupervisionCAMMIL().fresh(train.facts)
        for stage in method.stages:
            before = {name: value.clone() for name, value in method.state_dict().items()}
            with entered(method, stage, train) as turn:
                turn.train()
                list(turn.step(drawn(method, train)))
            moved = {
                name.partition(".")[0]
                for name, value in method.state_dict().items()
                if not torch.equal(value, before[name])  # weights, and statistics of batches
            }
            assert moved == set(stage.learns)


def test_weak_supervision_ends_on_the_outlines_that_there_are(cases):
    some, none = (cases(f"weak_labels/{kind}_masks").train for kind in ("5", "0"))
    assert drawn(in_stage("refine", some), some)["has_mask"].all()
    for train, method in (
        (some, in_stage("segment", some)),
        (some, in_stage("classify", some)),
        (some, in_stage("refine", some, use_masks=False)),
        (none, in_stage("refine", none)),
    ):
        as_they_come = reading.sample(train, "smoke", 8, torch.Generator().manual_seed(0))
        found = drawn(method, train)
        assert all(torch.equal(found[name], as_they_come[name]) for name in as_they_come)


@pytest.mark.parametrize(("share", "count"), [(0.5, 4), (0.3, 2), (0.01, 1), (1.0, 8)])
def test_a_share_of_each_batch_of_the_second_stage_is_outlined(cases, share, count):
    train = cases("weak_labels/5_masks").train
    method = in_stage("segment", train, outlined=share)
    for _ in range(3):
        batch = drawn(method, train)
        assert {name: len(value) for name, value in batch.items()} == dict.fromkeys(batch, 8)
        assert int(batch["has_mask"].sum()) == count
    plain = reading.sample(train, "smoke", 8, torch.Generator().manual_seed(0))
    first = drawn(in_stage("classify", train, outlined=share), train)  # as they come
    assert torch.equal(first["image"], plain["image"])


@pytest.mark.parametrize("masks", ["0_masks", "all_masks"])
def test_where_all_or_none_are_outlined_batches_are_full_all_the_same(cases, masks):
    train = cases(f"weak_labels/{masks}").train
    batch = drawn(in_stage("segment", train, outlined=0.5), train)
    assert len(batch["image"]) == 8
    assert batch["has_mask"].unique().tolist() == [masks == "all_masks"]


@pytest.mark.parametrize(
    ("options", "named"),
    [({"outlined": 1.5}, "'outlined'.*1.5"), ({"level": "half"}, "'level'.*'half'")],
)
def test_a_share_lies_between_none_and_all(options, named):
    with pytest.raises(CourseError, match=named):
        WeakSupervisionCAMMIL(**options)
