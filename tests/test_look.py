"""`course data look`: what is understood of one's own data is said before anything is trained."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from course_lib.cli import course
from course_lib.data import own
from course_lib.data.own.kinds import Boxed, OwnData, Pictures
from course_lib.data.own.look import look
from course_lib.errors import CourseError
from course_lib.lesson.contact_sheet import contact_sheet
from tests.augmentation.example import labelled
from tests.segmentation.example import scans
from tests.test_data_own import write_nifti


@pytest.fixture
def folder(tmp_path):
    """Six labelled volumes of three people, one of them with a structure of its own."""
    place = tmp_path / "scans"
    draw = np.random.default_rng(0)
    for person in "abc":
        for visit in (1, 2):
            label = np.zeros((14, 30, 32), np.uint8)
            label[4:9, 5:20, 6:20] = 1
            if person == "b":
                label[9:12, 2:5, 2:5] = 5
            name = f"sub-{person}_ses-{visit}.nii.gz"
            image = 100 * label + draw.normal(0, 9, label.shape)
            write_nifti(place / "images" / name, image.astype(np.float32), (3, 2, 1))
            write_nifti(place / "labels" / name, label, (3, 2, 1))
    return place


def run(*words):
    result = CliRunner().invoke(course, ["data", "look", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_look_says_what_was_understood(folder, tmp_path):
    found = json.loads(run(f"path:{folder}", "--json", "--out", tmp_path / "sheet.png"))
    assert found["data"] == "path:scans" and len(found["sha256"]) == 64
    assert found["rows"]["images"] == "6 of 3 subjects"
    assert found["rows"]["sizes"] == "14 x 30 x 32 (6)"
    assert found["rows"]["spacing"] == "3 x 2 x 1 mm (z, y, x)"
    assert "LPS" in found["rows"]["orientation"] and found["rows"]["unit"] == "a.u."
    people = {part: counts["subjects"] for part, counts in found["parts"].items()}
    assert people == {"train": 1, "validation": 1, "test": 1}
    assert sum(found["counts"]["label 5"].values()) == 2 * 27
    assert list(found["counts"]["label 1"].values()) == [2 * 5 * 15 * 14] * 3
    assert any("sub-" in note for note in found["notes"])
    can = {section for section, answer in found["sections"].items() if answer["can"]}
    assert can == {"super_resolution", "reconstruction_mr", "registration", "segmentation"}
    assert "--unit HU" in found["sections"]["denoising"]["why"]
    assert str(tmp_path) not in found["sections"]["detection"]["why"]
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert "6 with outlines" in found["description"]


def test_what_is_said_of_data_is_heard(folder, tmp_path):
    flags = ["--unit", "HU", "--subject-pattern", r"(ses-\d)", "--out", tmp_path / "s.png"]
    (tmp_path / "split.json").write_text(
        json.dumps({"train": ["ses-1"], "val": [], "test": ["ses-2"]})
    )
    text = run(f"path:{folder}", *flags, "--split", tmp_path / "split.json")
    assert "6 of 2 subjects" in text and "unit         HU" in text
    assert "split        " in text and "label 5" in text and "left out: nothing" in text


def test_the_sheet_never_lands_in_the_data(folder, monkeypatch):
    with pytest.raises(CourseError, match="inside the data"):
        run(f"path:{folder}", "--out", folder / "look.png")
    monkeypatch.chdir(folder)
    before = own.fingerprint(f"path:{folder}")
    assert str(folder.parent / "look.png") in run("path:.")
    own.fingerprint.cache_clear()
    assert own.fingerprint(f"path:{folder}") == before


def test_what_cannot_be_read_is_said_and_built_in_data_are_not_looked_at(tmp_path):
    with pytest.raises(CourseError, match="holds nothing that can be read"):
        run(f"path:{tmp_path}")
    with pytest.raises(CourseError, match="does not exist"):
        run(tmp_path / "nowhere")


def test_volumes_are_taken_one_by_one():
    alive = []

    class Lazy(tuple):
        heads = scans().heads

        def __getitem__(self, place):
            alive.append(place)
            return super().__getitem__(place)

    data = own.Scans("here", "measured", "mine", Lazy(scans().volumes), {3: "tail", 9: "never"})
    found = look(data)
    assert alive == [0, 1, 2, 3, 4]
    assert found.counts["tail"]["train"] == 3 * 27
    assert set(found.counts["never"].values()) == {0}
    assert len(found.pictures) == 5


def pictures_with_boxes():
    draw = np.random.default_rng(0)
    return Boxed(
        "here", "measured", "mine",
        images=tuple(draw.random((3, 20, 30 + k), dtype=np.float32) for k in range(5)),
        boxes=tuple(np.array([[2, 3, 6, 9]] * k, np.float32).reshape(-1, 4) for k in range(5)),
        labels=tuple(np.zeros(k, np.int64) for k in range(5)),
        classes=("cell", "dust"), names=tuple("vwxyz"), subjects=tuple("vwxyz"),
    )  # fmt: skip


def test_boxes_are_counted_and_drawn():
    found = look(pictures_with_boxes())
    assert sum(found.counts["cell"].values()) == 10 and not any(found.counts["dust"].values())
    assert found.rows["box sides"] == "4 to 6 pixels, median 5"
    assert found.rows["sizes"] == "5 different: 20 x 30 to 34"
    sheet = contact_sheet(found.pictures, "path:cells")
    assert "10 boxes in all" in sheet.alt and sheet.png.startswith(b"\x89PNG")


def test_labelled_images_are_counted_by_class():
    data = labelled()
    found = look(data)
    total = sum(len(labels) for labels in data.labels.values())
    assert sum(sum(row.values()) for row in found.counts.values()) == total
    assert found.marked == "classes, images"
    assert contact_sheet(found.pictures, "x").png


def test_a_kind_of_pictures_that_has_masks_needs_nothing_more():
    class Masked(OwnData):
        what = "pictures with masks"
        images = tuple(np.zeros((1, 9, 9), np.float32) for _ in "abc")
        masks = tuple(np.eye(9, dtype=np.uint8) for _ in "abc")
        names = subjects = tuple("abc")
        structures = ("vessel",)

    found = look(Masked("here", "", ""))
    assert sum(found.counts["vessel"].values()) == 27 and found.marked == "structures, pixels"
    assert "3 with outlines" in contact_sheet(found.pictures, "x").alt


def test_few_or_plain_images_are_no_reason_to_fail():
    images = tuple(np.zeros((4, 4), np.float32) for _ in "ab")
    found = look(Pictures("here", "", "", images, tuple("ab"), tuple("ab")))
    assert "at least" in found.rows["split"] and len(found.pictures) == 2
    assert "empty sheet" in contact_sheet([], "path:x").alt
