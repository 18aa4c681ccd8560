"""Pictures with masks: which belongs to which, and what a mask's values mean."""

import json

import numpy as np
import pytest
from PIL import Image

from course_lib.data import own
from course_lib.data.own.kinds import Labelled, Pictures
from course_lib.errors import CourseError
from tests.own_pictures import discs, picture, save


def mask(k=0, value=255, side=48):
    found = np.zeros((side, side), np.uint8)
    found[10 + k : 20 + k, 5:25] = value
    return found


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/p{k}.jpg", "masks/p{k}.png"),
        ("images/p{k}.tif", "labels/p{k}.gif"),
        ("img/p{k}.bmp", "annotations/p{k}_mask.bmp"),
        ("p{k}.png", "p{k}_mask.png"),
        ("p{k}.jpg", "p{k}_1stHO.png"),
        ("Image_0{k}L.jpg", "Image_0{k}L_1stHO.png"),
        ("ISIC_{k}.jpg", "ISIC_{k}_segmentation.png"),
        ("train/images/p{k}.png", "train/masks/p{k}.png"),
        ("imagesTr/p{k}_0000.png", "labelsTr/p{k}.png"),
        ("training/images/{k}_training.tif", "training/1st_manual/{k}_manual1.gif"),
    ],
)
def test_masks_are_found_and_are_no_pictures_of_their_own(tmp_path, image, label):
    for k in range(5):
        save(tmp_path / image.format(k=k), picture(k, 48, 48))
        save(tmp_path / label.format(k=k), mask(k))
    assert own.reader(f"path:{tmp_path}") == "masks"
    found = own.read(f"path:{tmp_path}")
    assert len(found.images) == len(found.masks) == len(set(found.subjects)) == 5
    for k in range(5):
        assert np.array_equal(found.masks[k], mask(k) // 255)
    assert found.structures == ("mask",)


def test_of_drives_folders_the_vessels_are_taken_and_not_the_field_of_view(tmp_path):
    for part, numbers in (("training", range(21, 25)), ("test", range(1, 4))):
        word = "training" if part == "training" else "test"
        for k in numbers:
            save(tmp_path / part / "images" / f"{k:02d}_{word}.tif", picture(k, 48, 48))
            save(tmp_path / part / "1st_manual" / f"{k:02d}_manual1.gif", mask(k % 7))
            save(tmp_path / part / "mask" / f"{k:02d}_{word}_mask.gif", mask(0) * 0 + 255)
            if part == "test":
                save(tmp_path / part / "2nd_manual" / f"{k:02d}_manual2.gif", mask(9))
    found = own.read(f"path:{tmp_path}")
    assert np.array_equal(found.masks[found.names.index("21_training")], mask(0) // 255)
    assert np.array_equal(found.masks[found.names.index("02_test")], mask(2) // 255)
    members = own.divided(found, found.names, found.subjects)
    assert [found.names[k] for k in members["test"]] == ["01_test", "02_test", "03_test"]
    said = " ".join(found.notes)
    assert "second reader" in said and "mask are not used" in said


def test_several_masks_of_a_picture_are_laid_over_one_another(tmp_path):
    for k in range(4):
        save(tmp_path / "benign" / f"benign ({k}).png", picture(k, 48, 48))
        save(tmp_path / "benign" / f"benign ({k})_mask.png", mask(0))
        save(tmp_path / "benign" / f"benign ({k})_mask_1.png", mask(20))
        save(tmp_path / "malignant" / f"malignant ({k}).png", picture(k, 48, 48))
        save(tmp_path / "malignant" / f"malignant ({k})_mask.png", mask(3))
    found = own.read(f"path:{tmp_path}")
    assert len(found.images) == 8
    both = np.maximum(mask(0), mask(20)) // 255
    assert np.array_equal(found.masks[found.names.index("benign (2)")], both)
    labelled = own.expect(found, Labelled, "classification")
    assert labelled.classes == ("benign", "malignant")
    assert sum(map(len, labelled.labels.values())) == 8
    assert len(own.expect(found, Pictures, "registration").images) == 8


def test_all_that_lack_a_partner_or_do_not_fit_are_named(tmp_path):
    discs(tmp_path)
    (tmp_path / "masks" / "p1.png").unlink()
    save(tmp_path / "masks" / "other.png", mask())
    save(tmp_path / "masks" / "p2.png", mask(side=20))
    with pytest.raises(
        CourseError, match=r"3 faults.*p1\.png: has no mask.*other\.png: has no pict.*20 x 20.*48"
    ):
        own.read(f"path:{tmp_path}")
    found = own.read(f"path:{tmp_path}?skip=yes")
    assert len(found.images) == 6 and len(found.left_out) == 3


def test_two_pictures_do_not_share_a_mask(tmp_path):
    discs(tmp_path)
    save(tmp_path / "images" / "p3.jpg", picture(9, 48, 48))
    with pytest.raises(CourseError, match=r"1 fault .*p3\.jpg and p3\.png would share p3\.png"):
        own.read(f"path:{tmp_path}")
    found = own.read(f"path:{tmp_path}?skip=yes")
    assert "p3" not in " ".join(found.names) and len(found.images) == 7


def written(tmp_path, made):
    for k, each in enumerate(made):
        save(tmp_path / "images" / f"p{k}.png", picture(k, *np.asarray(each).shape[:2]))
        file = tmp_path / "masks" / f"p{k}.png"
        file.parent.mkdir(exist_ok=True)
        (each if isinstance(each, Image.Image) else Image.fromarray(each)).save(file)
    return own.read(f"path:{tmp_path}")


def test_grey_values_are_structures_named_by_their_numbers_or_by_the_data_set(tmp_path):
    label = mask(value=1) + mask(20, value=7)
    assert written(tmp_path, [label] * 3).structures == ("grey 1", "grey 7")
    found = own.read(f"path:{tmp_path}")
    assert np.array_equal(np.unique(found.masks[0]), [0, 1, 2])
    assert np.array_equal(found.masks[0] == 2, label == 7)
    about = {"labels": {"background": 0, "cup": 1, "disc": 7}}
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    assert own.read(f"path:{tmp_path}").structures == ("cup", "disc")


def test_colours_are_structures_and_what_became_what_is_said(tmp_path):
    label = np.zeros((30, 40, 3), np.uint8)
    label[:9], label[20:, 10:] = (255, 0, 0), (0, 128, 255)
    found = written(tmp_path, [label] * 3)
    assert found.structures == ("#0080ff", "#ff0000")
    assert np.array_equal(found.masks[0] == 2, (label == (255, 0, 0)).all(2))
    assert "#000000 is the background, #0080ff is '#0080ff'" in " ".join(found.notes)


def test_numbers_of_a_palette_are_structures_and_255_is_void(tmp_path):
    label = mask(value=3)
    label[30:, :4] = 255
    shown = Image.fromarray(label, "P")
    shown.putpalette([c for k in range(256) for c in (0 if k == 0 else 255 - k, k, 0)])
    found = written(tmp_path, [shown] * 3)
    assert np.array_equal(found.masks[0], label == 3)
    assert any("255 in masks is void" in note for note in found.notes)


def test_palettes_that_differ_from_file_to_file_are_colours(tmp_path):
    made = []
    for order in ((0, 1, 2), (0, 2, 1), (0, 1, 2)):
        colours = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]
        label = np.zeros((20, 20), np.uint8)
        label[:5], label[10:] = order.index(1), order.index(2)
        shown = Image.fromarray(label, "P")
        shown.putpalette([c for k in order for c in colours[k]])
        made.append(shown)
    found = written(tmp_path, made)
    assert found.structures == ("#00ff00", "#ff0000")
    assert np.array_equal(found.masks[0], found.masks[1])


def test_masks_blurred_by_jpeg_are_cut_at_half_and_pictures_are_no_masks(tmp_path):
    for k in range(3):
        save(tmp_path / "images" / f"p{k}.png", picture(k, 48, 48))
        save(tmp_path / "masks" / f"p{k}.jpg", mask(), quality=80)
    found = own.read(f"path:{tmp_path}")
    assert (found.masks[0] == mask() // 255).mean() > 0.99
    assert any("blurred" in note for note in found.notes)
    for k in range(3):
        (tmp_path / "masks" / f"p{k}.jpg").unlink()
        save(tmp_path / "masks" / f"p{k}.png", 4 * picture(k, 48, 48, colours=False))
    with pytest.raises(CourseError, match="values: are they pictures"):
        own.read(f"path:{tmp_path}")


def test_masks_of_one_value_are_refused(tmp_path):
    with pytest.raises(CourseError, match="nothing but grey 0"):
        written(tmp_path, [mask(value=0)] * 3)
