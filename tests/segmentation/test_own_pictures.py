"""Segmentation of the user's own pictures with masks."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import catalogue
from course_lib.benchmark.contract import keeps_its_contract
from course_lib.data import own as data
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.tasks.base import Plan
from course_lib.tasks.segmentation import own_pictures as own
from tests.own_pictures import discs, picture, save
from tests.segmentation.example import scans


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    place = discs(tmp_path_factory.mktemp("discs"))
    return own.own_cases(data.read(f"path:{place}"), "smoke", 0)


def test_a_folder_of_pictures_and_masks_is_asked_this_question_and_scans_the_other(tmp_path):
    discs(tmp_path)
    assert catalogue.question("segmentation", f"path:{tmp_path}").id == "own_pictures"
    assert catalogue.question("segmentation", "path:nowhere").id == "own"
    for method, fits in (("unet", True), ("fcn", True), ("vnet", False), ("bdc_lstm", False)):
        assert catalogue.fits(catalogue.entry(method), f"path:{tmp_path}") == fits
    with pytest.raises(CourseError, match="pictures with masks"):
        own.own_cases(scans(), "smoke", 0)


def test_cases_keep_the_contract_their_size_and_their_subjects(splits):
    batch = own.sample(splits.train, "smoke", 3, torch.Generator().manual_seed(0))
    keeps_its_contract(own.QUESTION, splits, batch)
    assert splits.train["image"].shape[1:] == (3, 1, 48, 48)
    parts = [set(part.subject) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    for part in (splits.train, splits.test):
        red = part["image"][:, 0] > 0.6
        assert torch.equal(red, part["label"][:, 0] == 1)
    assert "Pictures have their own size." in splits.notes


def test_what_shrinks_is_said_and_masks_shrink_as_areas_do(tmp_path):
    for k in range(5):
        label = np.zeros((584, 565), np.uint8)
        label[100:400, 50:350] = 255
        save(tmp_path / "images" / f"{k}.png", picture(k, 584, 565, colours=False))
        save(tmp_path / "masks" / f"{k}.gif", label)
    found = own.own_cases(data.read(f"path:{tmp_path}"), "class", 0)
    assert found.train["image"].shape[1:] == (1, 1, 256, 248)
    assert any("584 x 565 became 256 x 248" in note for note in found.notes)
    share = found.train["label"].float().mean() * 256 * 248 / (256 / 584) ** 2
    assert float(share) == pytest.approx(300 * 300, rel=0.01)
    assert found.facts.channels == 1


def test_structures_are_ordered_by_size_and_those_only_tests_hold_are_missed(tmp_path):
    names = [f"p{k}" for k in range(6)]
    for k, name in enumerate(names):
        label = np.zeros((40, 40), np.uint8)
        label[:4, :4], label[10:30, 10:30] = 1, 2
        save(tmp_path / "images" / f"{name}.png", picture(k, 40, 40))
        save(tmp_path / "masks" / f"{name}.png", label)
    (test, *_) = own.own_cases(data.read(f"path:{tmp_path}"), "smoke", 0).test.case
    label[35:, 35:] = 9
    save(tmp_path / "masks" / f"{test}.png", label)
    found = own.own_cases(data.read(f"path:{tmp_path}"), "smoke", 0)
    assert found.facts.structures == ("grey 2", "grey 1", "grey 9")
    assert set(found.train["label"].unique().tolist()) == {0, 1, 2}
    assert any("can only be missed: grey 9" in note for note in found.notes)


@pytest.mark.parametrize(
    "name", ["intensity_windows", "random_forest", "fcn", "unet", "segan", "combo_loss"]
)
def test_methods_that_read_slices_read_pictures_in_colour(splits, name):
    method = catalogue.build(name)
    if name == "random_forest":
        method.grid = method.grid[:1]
    fit(method, own.QUESTION, splits, profile="smoke", seed=0, plan=Plan(2, 2, 1), progress=False)
    answer = predict(method, splits.test)
    assert answer.shape == splits.test["label"].shape and answer.dtype == torch.uint8
    scores = own.QUESTION.score(answer, splits.test.tensors, splits.facts)
    assert set(scores) == set(own.QUESTION.metrics)
    panels = own.QUESTION.pictures(answer, splits.test.tensors, splits.facts)
    assert panels["input"].values.shape == (len(splits.test), 48, 48, 3)


def test_a_unet_learns_discs(splits):
    method = catalogue.build("unet")
    fit(method, own.QUESTION, splits, profile="smoke", seed=0, plan=Plan(40, 4, 1), progress=False)
    dice = own.QUESTION.score(predict(method, splits.test), splits.test.tensors, splits.facts)
    assert dice["dice"].mean() > 0.9


def test_distances_are_in_pixels(splits):
    truth = splits.test["label"]
    scores = own.QUESTION.score(0 * truth, splits.test.tensors, splits.facts)
    assert own.QUESTION.metrics["hd95"].unit == "px"
    assert float(scores["hd95"].max()) == pytest.approx((2 * 48**2 + 1) ** 0.5)


def test_the_picture_of_a_mask_is_what_pillow_shows(tmp_path):
    discs(tmp_path, 4)
    found = data.read(f"path:{tmp_path}")
    for name, image, label in zip(found.names, found.images, found.masks, strict=True):
        shown = np.asarray(Image.open(tmp_path / "images" / f"{name}.png"))
        given = np.asarray(Image.open(tmp_path / "masks" / f"{name}.png"))
        assert np.allclose(image.transpose(1, 2, 0) * 255, shown, atol=1e-3)
        assert np.array_equal(label, given // 255)
