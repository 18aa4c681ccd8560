"""Segmentation: who is tested, what the cases hold, data of the user's, what the lesson shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.lesson import spots
from course_lib.lesson.structures import structure_table
from course_lib.lesson.widgets import threshold
from course_lib.tasks.segmentation import stacks
from course_lib.tasks.segmentation import structures as task


@pytest.fixture
def cases(splits):
    return splits("segmentation")


# --- the task


@pytest.mark.parametrize("dataset", ["brain_tissue", "lung_tumours/without_4"])
def test_subjects_are_in_one_part_only(dataset):
    parts = task.make(dataset, "smoke", 0)
    people = [set(part.subject) for part in (parts.train, parts.validation, parts.test)]
    assert not people[0] & people[1] and not people[2] & (people[0] | people[1])
    assert set(parts.test.group) == {stacks.OTHERS}


def test_each_tumour_patient_is_tested_once_and_never_trained_on_then():
    tested = set()
    for k in (1, 2, 3, 4):
        parts = task.make(f"lung_tumours/without_{k}", "smoke", 0)
        (patient,) = set(parts.test.subject)
        assert patient == f"lung_tumours-{k}" and patient not in parts.train.subject
        assert parts.test["label"].any() and parts.train["label"].any()
        tested.add(patient)
    assert len(tested) == 4


def test_chest_blocks_lie_apart_and_are_reported_as_the_same_patient():
    parts = task.make("chest_organs", "smoke", 0)
    slices = {
        word: {
            int(name[-3:]) + k
            for name in getattr(parts, word).case
            for k in range(parts.train["image"].shape[2])
        }
        for word in ("train", "validation", "test")
    }
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert min(abs(a - b) for a in slices[one] for b in slices[other]) > 4
    assert set(parts.test.group) == {stacks.SAME_PATIENT}
    lung = parts.test["image"][parts.test["label"] == 1]
    assert lung.median() < -600 and parts.test["label"].unique().tolist() == list(range(7))
    assert parts.test["image"][parts.test["label"] == 2].median() > 0  # liver


def test_brain_labels_match_the_picture(cases):
    """T1: white matter brighter than grey, grey brighter than fluid, in every case."""
    train = cases.train
    assert train["label"].unique().tolist() == list(range(6))
    for image, label in zip(train["image"], train["label"], strict=True):
        fluid, grey, white = (image[label == k].median() for k in (3, 2, 1))
        assert fluid < grey < white
    assert train["spacing"][0].tolist() == pytest.approx([10, 5, 5])
    flat = task.make("brain_3d", "smoke", 0).train
    assert flat["spacing"][0].tolist() == pytest.approx([5, 5, 5])
    assert torch.equal(flat["label"][:, :, ::2], train["label"])


def test_the_seed_decides_the_heads(cases):
    again, other = (task.make("brain_tissue", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.test["image"], cases.test["image"])
    assert not torch.equal(other.test["image"], cases.test["image"])


def test_pieces_are_cut_from_image_and_label_alike_and_half_show_what_was_drawn(cases):
    train = cases.train
    spots = train.tensors | {"image": train["label"].float()}
    marked = type(train)(spots, train.case, train.subject, train.group, train.spacing_mm)
    smaller = replace(task.SIZES["smoke"], piece=(4, 8, 8), piece_3d=(4, 8, 8))
    task.SIZES["tiny"] = smaller
    try:
        batch = task.sample(marked, "tiny", 60, torch.Generator().manual_seed(0))
    finally:
        del task.SIZES["tiny"]
    assert batch["image"].shape == (60, 1, 4, 8, 8)
    assert torch.equal(batch["image"], batch["label"].float())
    has = (batch["label"] == 5).flatten(1).any(1)
    assert has[1::2].float().mean() > has[::2].float().mean()


def test_scores_are_those_of_known_boxes():
    label = torch.zeros(1, 1, 4, 16, 16, dtype=torch.uint8)
    label[..., 4:12, 2:10] = 1
    batch = {
        "image": label.float(),
        "label": label,
        "classes": torch.tensor([2]),
        "spacing": torch.tensor([[5.0, 2.0, 2.0]]),
    }
    perfect = task.score(label, batch)
    assert perfect["dice"].item() == 1 and perfect["hd95"].item() == 0
    shifted = task.score(label.roll(2, -1), batch)
    assert shifted["dice"].item() == pytest.approx(0.75)
    assert shifted["hd95"].item() == pytest.approx(4.0)  # two pixels of 2 mm
    missed = task.score(torch.zeros_like(label), batch)
    assert missed["dice"].item() == 0
    assert missed["assd"].item() == pytest.approx((20**2 + 2 * 32**2) ** 0.5)


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 2))
    panels = task.pictures(batch["label"], batch)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["output"].values, panels["truth"].values)
    assert not panels["error"].values.any()
    assert panels["truth"].values.dtype == torch.uint8 and panels["truth"].values.shape[-1] == 3
    colours = task.colour(torch.arange(8))
    assert len({tuple(c) for c in colours.tolist()}) == 8


# --- data of the user's


def scans(count=5, labels=True, unit="a.u."):
    """Volumes of different sides and spacings with a large structure 7 and a small one 3."""
    volumes = []
    for k in range(count):
        shape = (12 + k, 20, 24 + 2 * k)
        label = np.zeros(shape, np.int16)
        label[3:9, 4:14, 4:14], label[4:7, 15:18, 15:18] = 7, 3
        image = label.astype(np.float32) + 0.1
        given = {"label": label} if labels else {}
        volumes.append(Volume(image, (3.0, 1.0, 1.0), f"p{k}", unit, (0.0, 0.0, 0.0), given))
    return own.Scans(Path("mine"), "measured", "mine", tuple(volumes), {3: "tail", 7: "head"})


def test_own_volumes_come_to_one_grid_with_their_millimetres():
    parts = task.TASK.own(scans(), "class", 0)
    every = [parts.train, parts.validation, parts.test]
    subjects = [name for part in every for name in part.subject]
    assert sorted(subjects) == [f"p{k}" for k in range(5)]
    assert {tuple(part["image"].shape[2:]) for part in every} == {(16, 24, 32)}
    for part in every:
        assert part["spacing"][0].tolist() == [3, 1, 1] and int(part["classes"][0]) == 3
        for label in part["label"]:
            assert [int((label == k).sum()) for k in (1, 2)] == [600, 27]  # the larger one is 1
        assert torch.equal(part["image"] > 5, part["label"] == 1)
    smaller = task.TASK.own(scans(), "smoke", 0)
    assert [len(p) for p in (smaller.train, smaller.validation, smaller.test)] == [3, 1, 1]


def test_own_volumes_that_are_too_large_become_coarser_and_keep_their_size():
    data = scans()
    spacing, shape = stacks._common_grid(list(data.volumes), (8, 10, 14))
    assert shape == (8, 16, 16) and spacing == pytest.approx((6.0, 2.0, 32 / 14))
    cases = stacks.of_scans(data, (8, 10, 14), (60, 6, 20)).train
    volume = (cases["label"] == 1).flatten(1).sum(1) * np.prod(spacing)
    assert volume.tolist() == pytest.approx([600 * 3.0] * 3, rel=0.35)


def test_own_data_without_labels_say_what_is_expected():
    with pytest.raises(CourseError, match="has no label map"):
        task.TASK.own(scans(labels=False), "smoke", 0)
    empty = scans()
    for volume in empty.volumes:
        volume.labels["label"][:] = 0
    with pytest.raises(CourseError, match="nothing but 0"):
        task.TASK.own(empty, "smoke", 0)


# --- what the lesson shows


def test_spots_are_all_there_is_to_find_and_grow_with_their_radius(cases):
    shares = []
    for radius in (1.0, 3.0):
        parts = spots.spotted(cases, radius)
        label, image = parts.test["label"], parts.test["image"]
        changed = image != cases.test["image"]
        assert not (changed & (label == 0)).any()
        assert torch.allclose(image[label == 1], spots.DARKER * cases.test["image"][label == 1])
        assert int(parts.train["classes"][0]) == 2
        shares.append(spots.share(parts.train))
    assert 0 < shares[0] < shares[1] / 3
    perfect = spots.errors(parts.test["label"], parts.test)
    assert perfect == {"dice": 1, "missed": 0, "invented": 0}
    nothing = spots.errors(torch.zeros_like(parts.test["label"]), parts.test)
    assert nothing == {"dice": 0, "missed": 100, "invented": 0}


def test_a_table_says_dice_of_every_structure(cases):
    truth = cases.test["label"]
    found = torch.where(truth == 5, 0, truth)
    names = task.structures("brain_tissue")
    table = structure_table({"half": found}, cases.test.tensors, names, "Dice")
    assert [row[0] for row in table.rows] == list(names)
    assert [row[2] for row in table.rows] == ["1.00"] * 4 + ["0.00"]


def test_threshold_explorer_gives_the_dice_of_its_window():
    line = torch.arange(32) - 15.5
    label = (line[:, None] ** 2 + line**2 < 80).to(torch.uint8)
    image = label.float() * 0.6 + 0.2
    slice_of = threshold.Threshold(image, label)
    assert slice_of(1, 0.7, 0.9)[1] == 1 and slice_of(1, 0.0, 0.5)[1] == 0
    assert slice_of.best(1)[2] == 1
    explorer = threshold.threshold_explorer(image, label, ("disc",))
    explorer.controls["window"].value = (0.7, 1.0)
    assert "Dice 1.00" in repr(explorer)
