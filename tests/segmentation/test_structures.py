"""Segmentation of structures: who is tested, what the cases hold."""

from dataclasses import replace

import pytest
import torch

from course_lib import catalogue
from course_lib.cases import Facts
from course_lib.tasks.segmentation import stacks
from course_lib.tasks.segmentation import structures as question


@pytest.mark.parametrize("dataset", ["brain_tissue", "lung_tumours/without_4"])
def test_subjects_are_in_one_part_only(dataset):
    parts = question.make(dataset, "smoke", 0)
    people = [set(part.subject) for part in (parts.train, parts.validation, parts.test)]
    assert not people[0] & people[1] and not people[2] & (people[0] | people[1])
    assert set(parts.test.group) == {stacks.OTHERS}


def test_each_tumour_patient_is_tested_once_and_never_trained_on_then():
    tested = set()
    for k in (1, 2, 3, 4):
        parts = question.make(f"lung_tumours/without_{k}", "smoke", 0)
        (patient,) = set(parts.test.subject)
        assert patient == f"lung_tumours-{k}" and patient not in parts.train.subject
        assert parts.test["label"].any() and parts.train["label"].any()
        tested.add(patient)
    assert len(tested) == 4


def test_chest_blocks_lie_apart_and_are_reported_as_the_same_patient():
    parts = question.make("chest_organs", "smoke", 0)
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
    assert parts.facts.structures == tuple(stacks.ORGANS) and parts.facts.classes == 7
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
    assert cases.facts.structures[:2] == ("white matter", "grey matter")
    assert cases.facts.classes == 6 and cases.facts.spacing_mm == (10, 5, 5)
    assert train.spacing_mm[0].tolist() == [10, 5, 5]
    flat = question.make("brain_3d", "smoke", 0).train
    assert flat.facts.spacing_mm == (5, 5, 5)
    assert torch.equal(flat["label"][:, :, ::2], train["label"])


def test_the_seed_decides_the_heads(cases):
    again, other = (question.make("brain_tissue", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.test["image"], cases.test["image"])
    assert not torch.equal(other.test["image"], cases.test["image"])


def test_pieces_are_cut_from_image_and_label_alike_and_half_show_what_was_drawn(cases):
    train = cases.train
    spots = train.tensors | {"image": train["label"].float()}
    marked = replace(train, tensors=spots)
    smaller = replace(question.SIZES["smoke"], piece=(4, 8, 8), piece_3d=(4, 8, 8))
    question.SIZES["tiny"] = smaller
    try:
        batch = question.sample(marked, "tiny", 60, torch.Generator().manual_seed(0))
    finally:
        del question.SIZES["tiny"]
    assert batch["image"].shape == (60, 1, 4, 8, 8)
    assert torch.equal(batch["image"], batch["label"].float())
    has = (batch["label"] == 5).flatten(1).any(1)
    assert has[1::2].float().mean() > has[::2].float().mean()


def test_scores_are_those_of_known_boxes():
    label = torch.zeros(1, 1, 4, 16, 16, dtype=torch.uint8)
    label[..., 4:12, 2:10] = 1
    batch, facts = {"label": label}, Facts(classes=2, spacing_mm=(5.0, 2.0, 2.0))
    perfect = question.score(label, batch, facts)
    assert perfect["dice"].item() == 1 and perfect["hd95"].item() == 0
    shifted = question.score(label.roll(2, -1), batch, facts)
    assert shifted["dice"].item() == pytest.approx(0.75)
    assert shifted["hd95"].item() == pytest.approx(4.0)  # two pixels of 2 mm
    missed = question.score(torch.zeros_like(label), batch, facts)
    assert missed["dice"].item() == 0
    assert missed["assd"].item() == pytest.approx((20**2 + 2 * 32**2) ** 0.5)
    assert missed["missed"].item() == 1 and perfect["missed"].item() == 0


def test_an_answer_of_nothing_but_background_scores_nothing():
    """Seven structures are known, a case shows one of them."""
    label = torch.zeros(1, 1, 4, 16, 16, dtype=torch.uint8)
    label[..., 4:12, 2:10] = 3
    facts = Facts(classes=8, spacing_mm=(5.0, 2.0, 2.0))
    empty = question.score(torch.zeros_like(label), {"label": label}, facts)
    assert empty["dice"].item() == empty["dice_smallest"].item() == 0 and empty["missed"] == 1
    perfect = question.score(label, {"label": label}, facts)
    assert perfect["dice"].item() == perfect["dice_smallest"].item() == 1


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 2))
    panels = question.pictures(batch["label"], batch, cases.facts)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["output"].values, panels["truth"].values)
    assert not panels["error"].values.any()
    assert panels["truth"].values.dtype == torch.uint8 and panels["truth"].values.shape[-1] == 3
    colours = question.colour(torch.arange(8))
    assert len({tuple(c) for c in colours.tolist()}) == 8


def test_a_data_set_with_other_classes_gets_another_head():
    tumours = question.make("lung_tumours/without_4", "smoke", 0).train
    for entry in catalogue.methods("segmentation"):
        method = catalogue.build(entry.id).fresh(tumours.facts)
        if not entry.baseline:
            assert method.scores(tumours.batch(slice(0, 1))).shape[1] == 2


def test_methods_are_listed_with_their_reference():
    refs = {e.id: e.ref for e in catalogue.methods("segmentation") if not e.baseline}
    wanted = {"fcn": None, "unet": None, "vnet": 84, "bdc_lstm": 88, "segan": 89, "combo_loss": 92}
    assert refs == wanted
