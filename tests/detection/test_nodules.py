"""The question of nodules: who is tested, what boxes hold, what scores."""

import numpy as np
import pytest
import torch

from course_lib.cases import subject_split
from course_lib.data.lesions import grounds, slices
from course_lib.parts.detection import boxes as parts
from course_lib.tasks.detection import nodules, patients
from tests.detection.made_up import FACTS, disc_batch

DEFAULT = "chest_ct+lung_tumours/nodules"


@pytest.fixture
def cases(splits):
    return splits("detection")


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
    split = subject_split(list(slices.by_patient()))
    for part, numbers in known.items():
        assert all(split[f"LIDC-IDRI-{number:04d}"] == part for number in numbers)


def test_blocks_of_the_training_patient_lie_apart(cases):
    blocks = [set(patients.TRAIN_ROWS), set(patients.VALIDATION_ROWS), set(patients.TEST_ROWS)]
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
    drawn = nodules.sample(train(), "smoke", 16, torch.Generator().manual_seed(0))
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
    scores = nodules.score(perfect, batch, cases.facts)
    for part in batch["part"].unique():
        chosen = batch["part"] == part
        for name in ("froc", "average_precision", "average_precision_50"):
            assert scores[name][chosen].mean() == pytest.approx(100, abs=1e-3)
    none = parts.padded([(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0))] * 6)
    nothing = nodules.score(none, batch, cases.facts)
    assert nothing["froc"].sum() == 0 and nothing["average_precision"].sum() == 0


def test_pictures_show_boxes_misses_and_false_alarms():
    batch = disc_batch(2)
    far = torch.tensor([[2.0, 2, 8, 8]])
    answer = parts.padded([(far, torch.ones(1), torch.zeros(1))] * 2)
    panels = nodules.QUESTION.pictures(answer, batch, FACTS)
    assert list(panels) == ["input", "output", "truth", "error"]
    error = panels["error"].values
    assert (error == -1).any() and set(error.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert not torch.equal(panels["truth"].values, panels["input"].values)


def test_without_other_patients_the_training_patients_block_is_the_test(cases):
    found = nodules.make("chest_ct/nodules", "smoke", 0)
    assert set(found.test.group) == {patients.SAME_PATIENT}
    assert torch.equal(found.train["image"], cases.train["image"])
    there = [k for k, group in enumerate(cases.test.group) if group == patients.SAME_PATIENT]
    assert torch.equal(found.test["image"], cases.test["image"][there])
