"""Labelled images of users: folders, CSV files, npz files of any name."""

import csv

import numpy as np
import pytest

from course_lib.data import medmnist, own
from course_lib.errors import CourseError
from tests.own_pictures import picture, save


def classes(place, names=("cat", "dog"), each=6, pattern="{name}/{name}{k}.png"):
    for number, name in enumerate(names):
        for k in range(each):
            save(place / pattern.format(name=name, k=k), picture(10 * number + k))


def sizes(found):
    return {part: len(rows) for part, rows in found.labels.items()}


def test_a_folder_is_a_class_and_each_picture_stays_what_it_is(tmp_path):
    classes(tmp_path, ("dog", "cat", "eel"))
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("cat", "dog", "eel")
    assert sizes(found) == {"train": 12, "validation": 3, "test": 3}
    assert all(sorted(set(each)) == [0, 1, 2] for each in found.labels.values())
    for part in found.labels:
        for k, name in enumerate(found.names[part]):
            assert name.startswith(found.classes[found.labels[part][k]])
    position = found.names["train"].index(next(n for n in found.names["train"] if "dog" in n))
    number = int(found.names["train"][position][3:])
    assert np.allclose(
        found.images["train"][position], picture(number).transpose(2, 0, 1) / 255, atol=1e-6
    )


@pytest.mark.parametrize("pattern", ["{part}/{name}/{k}.png", "{name}/{part}/{name}{k}.png"])
def test_folders_called_train_and_test_are_the_split(tmp_path, pattern):
    for part, each in (("train", 4), ("val", 2), ("test", 3)):
        for name in ("cat", "dog"):
            for k in range(each):
                file = pattern.format(part=part, name=name, k=f"{part}{k}")
                save(tmp_path / file, picture(k))
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("cat", "dog")
    assert sizes(found) == {"train": 8, "validation": 4, "test": 6}


def table(place, head, rows, name="labels.csv"):
    with open(place / name, "w", newline="", encoding="utf-8-sig") as opened:
        csv.writer(opened).writerows([head, *rows])


def test_a_csv_gives_labels_subjects_and_the_split(tmp_path):
    for k in range(8):
        save(tmp_path / "pictures" / f"p{k}.png", picture(k))
    parts = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    rows = [(f"p{k}.png", "ab"[k % 2], f"s{k // 2}", part) for k, part in enumerate(parts)]
    table(tmp_path, ("File", "Label", "Subject", "Split"), rows)
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("a", "b") and sizes(found)["test"] == 2
    assert found.names["test"] == ["p6", "p7"] and found.subjects["test"] == ["s3", "s3"]
    assert found.labels["test"].tolist() == [0, 1]
    assert any("4 subjects from 8 images, by the column" in note for note in found.notes)


def test_one_column_for_each_class_and_names_without_ending(tmp_path):
    for k in range(9):
        save(tmp_path / f"ISIC_{k}.jpg", picture(k))
    rows = [(f"ISIC_{k}", *np.eye(3, dtype=int)[k % 3]) for k in range(9)]
    table(tmp_path, ("image", "MEL", "NV", "BCC"), rows, "GroundTruth.csv")
    found = own.read(f"path:{tmp_path}")
    assert found.classes == ("bcc", "mel", "nv") and found.labels["train"].ndim == 1
    several = [(name, 1, 1, *rest) for name, _, _, *rest in rows]
    table(tmp_path, ("image", "MEL", "NV", "BCC"), several, "GroundTruth.csv")
    found = own.read(f"path:{tmp_path}")
    assert found.labels["train"].shape[1] == 3
    from course_lib.tasks.classification.own import own_cases

    with pytest.raises(CourseError, match="several labels"):
        own_cases(found, "smoke", 0)


def test_lines_without_a_picture_or_a_label_are_named(tmp_path):
    for k in range(6):
        save(tmp_path / f"p{k}.png", picture(k))
    rows = [(f"p{k}.png", "ab"[k % 2]) for k in range(6)]
    table(tmp_path, ("file", "label"), [*rows, ("gone.png", "a"), ("p0.png", "b")])
    with pytest.raises(
        CourseError, match=r"2 faults.*line 8 .*no picture is called 'gone\.png'.*p0\.png 'b'"
    ):
        own.read(f"path:{tmp_path}")
    assert sum(sizes(own.read(f"path:{tmp_path}?skip=yes")).values()) == 6


def test_a_csv_that_excel_wrote_in_another_code_is_refused_with_the_way_out(tmp_path):
    for k in range(6):
        save(tmp_path / f"p{k}.png", picture(k))
    text = "file,label\n" + "".join(f"p{k}.png,{'gut' if k % 2 else 'böse'}\n" for k in range(6))
    (tmp_path / "labels.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(CourseError, match=r"labels\.csv cannot be read.*in UTF-8"):
        own.read(f"path:{tmp_path}")
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    assert own.read(f"path:{tmp_path}").classes == ("böse", "gut")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("notes.json", '{"images": [{"id": 1, "file_na', "Unterminated string"),
        ("notes.csv", b"file,x\nb\xf6se.png,1\n", "codec can't decode"),
    ],
)
def test_a_broken_file_beside_pictures_is_not_passed_over(tmp_path, name, text, why):
    """What the pictures show may stand in it."""
    for k in range(6):
        save(tmp_path / f"p{k}.png", picture(k))
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CourseError, match=f"{name}.*{why}"):
        own.read(f"path:{tmp_path}")


def test_files_beside_pictures_in_which_nothing_is_understood_are_listed(tmp_path):
    for k in range(6):
        save(tmp_path / f"p{k}.png", picture(k))
    (tmp_path / "befund.csv").write_text("bild,befund\np0.png,1\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "marks.json").write_text("{}")
    (tmp_path / "README.txt").write_text("About these pictures.")
    data = own.read(f"path:{tmp_path}")
    assert [one.name for one in data.left_out] == ["befund.csv", "more/marks.json"]
    assert "nothing" not in data.left_out[0].why and len(data.names) == 6


def npz(file, counts=(12, 6, 6), classes=3, **changes):
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in zip(("train", "val", "test"), counts, strict=True):
        arrays[f"{part}_images"] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % classes).astype(np.uint8)[:, None]
    np.savez(file, **(arrays | changes))
    return arrays


def test_npz_files_of_any_name_and_count_number_their_classes(tmp_path):
    arrays = npz(tmp_path / "mine.npz")
    found = own.read(f"path:{tmp_path / 'mine.npz'}")
    assert found.classes == ("class 0", "class 1", "class 2") and not found.published
    assert np.allclose(found.images["test"][3], arrays["test_images"][3] / 255)
    assert found.labels["validation"].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_subset_of_a_published_set_keeps_its_names_but_must_be_allowed(tmp_path):
    npz(tmp_path / "breastmnist.npz", classes=2)
    with pytest.raises(CourseError, match="--allow-unverified"):
        own.read(f"path:{tmp_path / 'breastmnist.npz'}")
    found = own.read(f"unverified:{tmp_path / 'breastmnist.npz'}")
    assert found.classes == tuple(medmnist.info()["breastmnist"]["label"].values())
    assert found.provenance.endswith("unverified file") and not found.published


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test_images": np.zeros((6, 28, 28), np.float32)}, "test_images is float32"),
        ({"test_labels": np.zeros((4, 1), np.uint8)}, "test_labels is"),
        ({"val_labels": np.full((6, 1), np.nan)}, "val_labels holds float64"),
        ({"val_labels": np.full((6, 1), -1)}, "from -1"),
        ({"val_images": np.zeros((6, 9, 9), np.uint8)}, "several shapes"),
    ],
)
def test_npz_files_that_hold_something_else_say_what(tmp_path, changes, said):
    npz(tmp_path / "mine.npz", **changes)
    with pytest.raises(CourseError, match=said):
        own.read(f"path:{tmp_path / 'mine.npz'}")
