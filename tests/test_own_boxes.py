"""Pictures with boxes of users: COCO, Pascal VOC, YOLO; every box is held against its picture."""

import json

import numpy as np
import pytest
from PIL import Image

from course_lib.data import own
from course_lib.errors import CourseError
from tests.own_pictures import coco, picture, save

NAMES = [f"p{k}.png" for k in range(6)]


def pictures(place, names=NAMES):
    for k, name in enumerate(names):
        save(place / name, picture(k))


def boxes(found):
    return {name: each.tolist() for name, each in zip(found.names, found.boxes, strict=True)}


def test_coco_as_published_is_a_given_split(tmp_path):
    for part, names in (("train2017", NAMES[:3]), ("val2017", NAMES[3:5]), ("test2017", NAMES[5:])):
        pictures(tmp_path / part, names)
        coco(tmp_path, names, file=f"annotations/instances_{part}.json")
        captions = {"images": [], "annotations": [{"caption": "a cell"}]}
        (tmp_path / "annotations" / f"captions_{part}.json").write_text(json.dumps(captions))
    found = own.read(f"path:{tmp_path}")
    assert boxes(found)["p0"] == [[8, 10, 20, 30]]
    members = own.divided(found, found.names, found.subjects)
    assert {part: len(rows) for part, rows in members.items()} == {
        "train": 3,
        "validation": 2,
        "test": 1,
    }


@pytest.mark.parametrize("file", ["dataset.json", "annotations/instances_default.json", "a.json"])
def test_coco_is_known_by_its_content_and_a_byte_order_mark_is_passed_over(tmp_path, file):
    pictures(tmp_path / "images")
    written = coco(tmp_path, NAMES, file=file)
    written.write_text(written.read_text("utf-8"), "utf-8-sig")
    assert own.reader(f"path:{tmp_path}") == "boxes"
    assert len(own.read(f"path:{tmp_path}").images) == 6


def test_boxes_lie_on_the_things_in_photos_that_exif_turns(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for k, name in enumerate(NAMES):
        upright = picture(k, 60, 40)
        upright[45:55, 5:25] = 250
        save(tmp_path / name, np.ascontiguousarray(np.rot90(upright)), exif=exif.tobytes())
    sizes = [{"id": k, "file_name": n, "width": 40, "height": 60} for k, n in enumerate(NAMES)]
    coco(tmp_path, NAMES, {n: [[5, 45, 20, 10]] for n in NAMES}, images=sizes)
    found = own.read(f"path:{tmp_path}")
    for image, (box,) in zip(found.images, found.boxes, strict=True):
        top, left, bottom, right = box.astype(int)
        assert image[:, top:bottom, left:right].min() > 0.95
    stored = [row | {"width": 60, "height": 40} for row in sizes]
    coco(tmp_path, NAMES, {n: [[1, 2, 3, 4]] for n in NAMES}, images=stored)
    assert own.read(f"path:{tmp_path}").images[0].shape == (3, 40, 60)
    wrong = [row | {"width": 99, "height": 60} for row in sizes]
    coco(tmp_path, NAMES, images=wrong)
    with pytest.raises(CourseError, match=r"6 faults.*p0\.png is 40 x 60.*99 x 60 are given"):
        own.read(f"path:{tmp_path}")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        (None, r"annotation 200 of notes\.json has None and no outline"),
        ([], r"annotation 200 .*not four numbers"),
        ([1, 2, 3], "annotation 200 .*not four numbers"),
        (["a", 2, 3, 4], "annotation 200 .*not four numbers"),
        ([1, float("nan"), 3, 4], "annotation 200 .*not four numbers"),
        ([1, 2, float("inf"), 4], "annotation 200 .*not four numbers"),
        ([1, 2, 1e9, 4], r"annotation 200 .*outside of its picture of 60 x 40 pixels"),
        ([50, 2, 20, 4], "annotation 200 .*outside"),
        ([-9, 2, 20, 4], "annotation 200 .*outside"),
    ],
)
def test_boxes_that_are_none_are_named_and_their_pictures_can_be_left_out(tmp_path, box, said):
    pictures(tmp_path)
    coco(tmp_path, NAMES, {n: [[10, 8, 20, 12]] for n in NAMES} | {"p2.png": [box]})
    with pytest.raises(CourseError, match=said):
        own.read(f"path:{tmp_path}")
    assert "p2" not in own.read(f"path:{tmp_path}?skip=yes").names


def test_a_box_that_sticks_out_a_little_is_clipped_and_said(tmp_path):
    pictures(tmp_path)
    coco(tmp_path, NAMES, {n: [[-1, 30, 20, 10.5]] for n in NAMES})
    found = own.read(f"path:{tmp_path}")
    assert boxes(found)["p0"] == [[30, 0, 40, 19]]
    assert any(note.startswith("6 boxes that stuck out") for note in found.notes)


def test_an_outline_stands_for_a_missing_box_crowds_do_not_count(tmp_path):
    pictures(tmp_path)
    file = coco(tmp_path, NAMES)
    content = json.loads(file.read_text())
    del content["annotations"][0]["bbox"]
    content["annotations"][0]["segmentation"] = [[7, 6, 27, 6, 27, 16, 7, 16]]
    content["annotations"][1]["iscrowd"] = 1
    content["annotations"][2]["bbox"] = [3, 3, 0, 4]
    file.write_text(json.dumps(content))
    found = own.read(f"path:{tmp_path}")
    assert boxes(found)["p0"] == [[6, 7, 16, 27]]
    assert boxes(found)["p1"] == boxes(found)["p2"] == []
    assert {"1 boxes are those of their outlines", "1 boxes of crowds are left out"} <= set(
        found.notes
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"categories": [{"name": "cell"}]}, "category .* without 'id'"),
        ({"categories": None}, "no 'categories'"),
        ({"images": []}, "names no known picture|no box"),
        ({"annotations": []}, "no box in any"),
        ({"annotations": [{"id": 5, "image_id": 0}]}, r"annotation 5 of notes\.json lacks"),
        ({"annotations": [{"image_id": 77, "category_id": 4, "bbox": [1, 1, 2, 2]}]}, "no known"),
        ({"annotations": ["text"]}, "lacks image_id"),
    ],
)
def test_coco_files_that_are_not_whole_say_where(tmp_path, changes, said):
    pictures(tmp_path)
    coco(tmp_path, NAMES, **changes)
    with pytest.raises(CourseError, match=said):
        own.read(f"path:{tmp_path}")


def test_boxes_in_parts_of_the_picture_are_not_taken_for_pixels(tmp_path):
    pictures(tmp_path)
    coco(tmp_path, NAMES, {n: [[0.1, 0.2, 0.5, 0.5]] for n in NAMES})
    with pytest.raises(CourseError, match="parts of the picture"):
        own.read(f"path:{tmp_path}")


def test_all_missing_pictures_are_named_at_once(tmp_path):
    pictures(tmp_path, NAMES[:4])
    coco(tmp_path, NAMES)
    with pytest.raises(CourseError, match=r"lacks the picture p4\.png.*lacks the picture p5\.png"):
        own.read(f"path:{tmp_path}")


def test_frames_of_one_patient_stay_together(tmp_path):
    names = [f"patient{k // 3}_frame{k % 3}.png" for k in range(12)]
    pictures(tmp_path, names)
    coco(tmp_path, names)
    found = own.read(rf"path:{tmp_path}?subject=%28patient\d%29")
    assert sorted(set(found.subjects)) == [f"patient{k}" for k in range(4)]
    from course_lib.tasks.detection.own import own_cases

    splits = own_cases(found, "smoke", 0)
    parts = [set(part.subject) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    assert len(splits.test) == 3


XML = """<annotation><folder>x</folder><filename>{name}</filename>
<size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>{label}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>
<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object></annotation>"""


def voc(place, box=(10, 8, 30, 20)):
    pictures(place / "JPEGImages")
    for k, name in enumerate(NAMES):
        text = XML.format(name=name, label="cell" if k % 2 else "nucleus", box=box)
        file = place / "Annotations" / name.replace(".png", ".xml")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    lists = place / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for part, rows in (("train", range(4)), ("val", [4]), ("test", [5])):
        (lists / f"{part}.txt").write_text("\n".join(f"p{k}" for k in rows))
    (lists / "trainval.txt").write_text("\n".join(f"p{k}" for k in range(5)))


def test_pascal_voc_gives_boxes_classes_and_its_split(tmp_path):
    voc(tmp_path)
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("cell", "nucleus") and found.labels[0].tolist() == [1]
    assert boxes(found)["p3"] == [[8, 10, 20, 30]]
    members = own.divided(found, found.names, found.subjects)
    assert [found.names[k] for k in members["validation"] + members["test"]] == ["p4", "p5"]


@pytest.mark.parametrize("box", [("nan", 1, 5, 5), (1, "", 5, 5), (9, 1, 5, 5), (1, 1, 500, 9)])
def test_pascal_voc_names_boxes_that_are_none(tmp_path, box):
    voc(tmp_path, box)
    with pytest.raises(CourseError, match=r"6 faults.*object 1 of p0\.xml"):
        own.read(f"path:{tmp_path}")


@pytest.mark.parametrize("layout", ["images/{part}/{name}", "{part}/images/{name}"])
def test_yolo_middles_become_corners_and_folders_a_split(tmp_path, layout):
    parts = dict(zip(NAMES, ["train"] * 4 + ["val", "test"], strict=True))
    for k, (name, part) in enumerate(parts.items()):
        file = save(tmp_path / layout.format(part=part, name=name), picture(k))
        text = file.relative_to(tmp_path).as_posix().replace("images", "labels")
        label = (tmp_path / text).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        outline = "1 0.1 0.1 0.5 0.1 0.5 0.5\n" if k == 1 else ""
        label.write_text(f"0 0.5 0.25 0.2 0.1\n{outline}")
    (tmp_path / "data.yaml").write_text("names: [cell, nucleus]\nnc: 2\n")
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("cell", "nucleus")
    assert np.allclose(boxes(found)["p0"], [[8, 24, 12, 36]])
    assert np.allclose(boxes(found)["p1"][1], [4, 6, 20, 30])
    members = own.divided(found, found.names, found.subjects)
    assert [found.names[k] for k in members["validation"] + members["test"]] == ["p4", "p5"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5", "'0 0.5 0.5', not 'class x y width height'"),
        ("0 30 20 10 10", "outside"),
        ("0 nan 0.5 0.1 0.1", "not 'class"),
        ("3 0.5 0.5 0.1 0.1", "class 3, which has no name"),
    ],
)
def test_yolo_names_lines_that_are_no_boxes(tmp_path, line, said):
    for k, name in enumerate(NAMES):
        save(tmp_path / "images" / name, picture(k))
        label = tmp_path / "labels" / name.replace(".png", ".txt")
        label.parent.mkdir(exist_ok=True)
        label.write_text(line if k == 2 else "0 0.5 0.5 0.2 0.2")
    (tmp_path / "data.yaml").write_text("names: {0: cell}")
    with pytest.raises(CourseError, match=rf"line 1 of p2\.txt .*{said}"):
        own.read(f"path:{tmp_path}")


def test_yolo_poses_give_their_boxes_and_no_outline_of_their_points(tmp_path):
    for k, name in enumerate(NAMES):
        save(tmp_path / "images" / name, picture(k))
        label = tmp_path / "labels" / name.replace(".png", ".txt")
        label.parent.mkdir(exist_ok=True)
        label.write_text("0 0.5 0.25 0.2 0.1 0.9 0.9 2 0.1 0.1 1\n")
    (tmp_path / "data.yaml").write_text("names: [cell]\nkpt_shape: [2, 3]\n")
    assert np.allclose(boxes(own.read(f"path:{tmp_path}"))["p0"], [[8, 24, 12, 36]])


def test_two_pictures_do_not_share_a_text_file(tmp_path):
    for k, name in enumerate((*NAMES, NAMES[0].replace(".png", ".jpg"))):
        save(tmp_path / name, picture(k))
        (tmp_path / name).with_suffix(".txt").write_text("0 0.5 0.25 0.2 0.1\n")
    with pytest.raises(CourseError, match=r"2 faults.*p0\.\w+ shares p0\.txt with another"):
        own.read(f"path:{tmp_path}")
