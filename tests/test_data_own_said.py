"""What the owner says of data: flags, subjects, splits, and which files belong to the data."""

import json
import sys

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

from course_lib.benchmark.job import Job
from course_lib.cli import course
from course_lib.cli.own import located
from course_lib.data import own
from course_lib.data.own import files, given, reading, subjects, tables
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError


@pytest.fixture
def scans(tmp_path):
    """Three volumes in a folder `scans`."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in "abc":
        image = nibabel.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4))
        nibabel.save(image, folder / f"{name}.nii.gz")
    return folder


# ---- flags


def test_flags_travel_in_the_data_sets_name(scans, tmp_path, monkeypatch):
    (tmp_path / "who.csv").write_text("file,subject\na,1\nb,1\nc,2\n")
    monkeypatch.chdir(tmp_path)
    name = located("path:scans", unit="HU", subject="who.csv", skip=True, split="", series=None)
    place, said = reading.parse(name)
    assert place == scans
    assert said == Reading(unit="HU", subject=str(tmp_path / "who.csv"), skip=True)
    assert located("path:scans?unit=HU", unit="a.u.").endswith("?unit=a.u.")
    assert located("path:scans", allow_unverified=True) == f"unverified:{scans}"
    assert reading.short(name) == "path:scans?unit=HU&subject=who.csv&skip=yes"


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (["--unit", "hounsfield"], "HU or a.u."),
        (["--subject-pattern", "(a"], "no regular expression"),
        (["--subject-pattern", "a"], "0 groups"),
        (["--subject-pattern", "none.csv"], "does not exist"),
        (["--split", "half"], "CSV or JSON"),
        (["--split", "none.json"], "does not exist"),
    ],
)
def test_answers_that_mean_nothing_are_refused(scans, flags, answer):
    for command in (["run", "super_resolution", "bicubic"], ["bench"]):
        words = [*command, "--dataset", f"path:{scans}", *flags]
        result = CliRunner().invoke(course, words)
        assert isinstance(result.exception, CourseError) and answer in str(result.exception)


@pytest.mark.parametrize("dataset", [[], ["--dataset", "brain_t1"]])
@pytest.mark.parametrize("flag", [["--unit", "HU"], ["--skip"], ["--allow-unverified"]])
def test_flags_for_other_data_than_ones_own_are_refused(dataset, flag):
    words = ["run", "super_resolution", "bicubic", *dataset, *flag]
    result = CliRunner().invoke(course, words)
    assert isinstance(result.exception, CourseError)
    assert flag[0] in str(result.exception) and "path:" in str(result.exception)


@pytest.mark.parametrize("dataset", ["path:", "path:?unit=HU", "unverified: "])
def test_a_path_must_be_named(dataset):
    with pytest.raises(CourseError, match="names no path"):
        located(dataset)


def test_a_yes_or_no_is_yes_or_no():
    assert reading.parse("path:x?skip=yes")[1].skip and not reading.parse("path:x?skip=no")[1].skip
    with pytest.raises(CourseError, match="yes or no"):
        reading.parse("path:x?skip=true")


# ---- which files belong to the data


def test_records_reports_and_hidden_files_do_not_change_the_datas_hash(scans, monkeypatch):
    monkeypatch.chdir(scans)
    before = own.fingerprint(f"path:{scans}")
    for name in ("runs/0123456789abcdef0123/record.json", "out/assets/report.css", ".DS_Store",
                 "runs/index.bin", "out/index.html", "__MACOSX/a.nii.gz"):  # fmt: skip
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).write_text("{}")
    own.fingerprint.cache_clear()
    assert own.fingerprint("path:.") == own.fingerprint(f"path:{scans}") == before
    (scans / "d.nii.gz").write_bytes(b"more")
    own.fingerprint.cache_clear()
    assert own.fingerprint("path:.") != before


def test_links_are_followed_once(scans, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "inner").symlink_to(scans)
    (linked / "round").symlink_to(linked)
    found = files.within(linked)
    assert {file.name for file in found} == {"a.nii.gz", "b.nii.gz", "c.nii.gz"} and len(found) == 3
    before = own.fingerprint(f"path:{linked}")
    (scans / "a.nii.gz").write_bytes(b"other")
    own.fingerprint.cache_clear()
    assert own.fingerprint(f"path:{linked}") != before


def test_a_file_that_cannot_be_read_is_named(scans, monkeypatch):
    def refuse(opened, name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hashlib.file_digest", refuse)
    with pytest.raises(CourseError, match=r"a\.nii\.gz cannot be read \(Permission denied\)"):
        files.digest(scans)


def test_a_job_follows_the_bytes_of_the_tables_that_are_named(scans, tmp_path):
    table = tmp_path / "split.json"
    table.write_text(json.dumps({"train": ["a"], "val": ["b"], "test": ["c"]}))
    name = located(f"path:{scans}", split=str(table))
    key = Job("super_resolution", "bicubic", name, "smoke", 0).key()
    table.write_text(json.dumps({"train": ["b"], "val": ["a"], "test": ["c"]}))
    own.fingerprint.cache_clear()
    assert Job("super_resolution", "bicubic", name, "smoke", 0).key() != key


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no such names")
def test_names_that_are_no_utf_8_become_readable_or_are_refused(scans):
    try:
        (scans / "a.nii.gz").rename(scans / "M\udcfcller.nii.gz")
    except OSError:
        pytest.skip("the file system keeps no such names")
    data = own.read(f"path:{scans}")
    assert [head.case for head in data.heads] == [r"M\xfcller", "b", "c"]
    assert data.heads[0].subject == r"M\xfcller" and len(own.fingerprint(f"path:{scans}")) == 64
    for word in ("\n".join(data.told()), *data.given):
        word.encode()
    odd = scans.rename(scans.with_name("s\udcfc"))
    with pytest.raises(CourseError, match=r"s\\xfc is no UTF-8.*rename"):
        own.location(f"path:{odd}")


# ---- subjects


@pytest.mark.parametrize(
    ("names", "people"),
    [
        (["sub-1/ses-1/anat/sub-1_ses-1_T1w.nii", "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii"], 1),
        (["Image_01L.jpg", "Image_01R.jpg", "Image_02L.jpg", "Image_02R.jpg"], 2),
        (["p1_visit1.nii", "p1_visit2.nii", "p2_visit1.nii"], 2),
        (["P1-left.png", "P1-right.png"], 1),
        (["a_t1.nii.gz", "a_flair.nii.gz", "a_t1ce.nii.gz"], 1),
        (["case_001.nii", "case_002.nii", "case_003.nii"], 3),
        (["a/scan.nii", "b/scan.nii", "c/scan.nii"], 3),
        (["a/pre.nii", "a/post.nii", "b/pre.nii", "b/post.nii", "c/pre.nii", "c/post.nii"], 3),
        (["benign/1.png", "benign/2.png", "malignant/1.png", "malignant/2.png"], 4),
        (["train/1.png", "train/2.png", "test/3.png"], 3),
        (["train/p1_L.png", "test/p1_R.png"], 1),
        (["hippocampus_001.nii.gz", "hippocampus_003.nii.gz"], 2),
        (["r16slice.jpg", "r27slice.jpg", "r30slice.jpg"], 3),
        (["left.png", "right.png", "other.png"], 3),
    ],
)
def test_images_of_one_person_are_recognised_by_their_names(names, people):
    found = subjects.of(names, Reading())
    assert len(set(found)) == people, found
    (note,) = subjects.said(names, Reading())
    assert str(len(names)) in note and "--subject-pattern" in note


def test_the_owners_rule_goes_before_all(tmp_path):
    names = ["sub-1_ses-1.nii", "sub-1_ses-2.nii", "sub-2_ses-1.nii"]
    assert subjects.of(names, Reading(subject=r"(ses-\d)")) == ["ses-1", "ses-2", "ses-1"]
    table = tmp_path / "who.tsv"
    table.write_text("image\tage\tpatient\nsub-1_ses-1\t3\tx\nsub-1_ses-2.nii\t4\ty\n")
    with pytest.raises(CourseError, match="no subject for 1 of 3 images: sub-2_ses-1"):
        subjects.of(names, Reading(subject=str(table)))
    assert subjects.of(names[:2], Reading(subject=str(table))) == ["x", "y"]
    with pytest.raises(CourseError, match="3 of 3"):
        subjects.of(names, Reading(subject=r"patient(\d)"))


# ---- splits


def parts_of(paths, said=None, place=None, who=None):
    return given.of(place, paths, who or [tables.stem(path) for path in paths], said or Reading())


@pytest.mark.parametrize("words", [("train", "val", "test"), ("Training", "valid", "Testing")])
def test_folders_called_as_parts_are_kept(words, tmp_path):
    paths = [f"{word}/p{k}.nii" for k, word in enumerate(words)]
    found, (note,) = parts_of(paths, place=tmp_path)
    assert found == ["train", "validation", "test"] and "folders" in note
    assert parts_of(paths, Reading(split="none"), tmp_path) == ([None] * 3, ())


def test_a_split_of_two_parts_tests_on_what_is_held_out(tmp_path):
    paths = [f"train2017/{k}.jpg" for k in range(10)] + ["val2017/x.jpg"]
    found, (note,) = parts_of(paths, place=tmp_path)
    assert found.count("train") == 8 and found.count("validation") == 2 and found[-1] == "test"
    assert "no test part" in note and "2 of its 10" in note


def test_folders_of_other_names_are_no_split(tmp_path):
    for paths in (["imagesTr/a.nii", "imagesTr/b.nii"], ["train/a.nii", "train/b.nii"], ["a", "b"]):
        assert parts_of(paths, place=tmp_path) == ([None] * len(paths), ())


def test_a_table_of_people_may_hold_their_parts(tmp_path):
    paths = [f"sub-{k}/anat/sub-{k}_T1w.nii.gz" for k in range(3)]
    who = [f"sub-{k}" for k in range(3)]
    file = tmp_path / "participants.tsv"
    file.write_text("participant_id\tage\nsub-0\t3\n")
    assert parts_of(paths, place=tmp_path, who=who)[0] == [None] * 3
    file.write_text("participant_id\tage\tsplit\nsub-0\t3\ttest\nsub-1\t4\ttrain\nsub-2\t4\tdev\n")
    assert parts_of(paths, place=tmp_path, who=who)[0] == ["test", "train", "validation"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.csv", "name,part\nb.nii,train\nc,val\na,test\n"),
        ("s.csv", "b;train\nc;val\na;test\n"),
        ("s.json", '{"train": ["b"], "validation": ["c.nii"], "test": ["a"]}'),
        ("s.json", '\ufeff{"b": "train", "c": "valid", "a": "test"}'),
    ],
)
def test_a_split_is_read_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    found, (note,) = parts_of(
        ["a.nii", "b.nii", "c.nii", "d.nii"], Reading(split=str(tmp_path / name))
    )
    assert found == ["test", "train", "validation", None]
    assert name in note and "1 images belong to no part" in note


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a,train\nb,held-out\n", "parts called held-out"),
        ("x,train\ny,test\n", "names none of the images"),
        ("a,train\nb,train\n", "gives only train"),
        ("a,b,c\n1,2,3\n", "no column is called split"),
        ("", "names nothing"),
        ("a,train\nb,test\na,test\n", "two things of 'a': 'train' and 'test'"),
        ("name,split\na,train\nb,test\nb,train\n", "two things of 'b'"),
    ],
)
def test_splits_that_cannot_be_meant_are_refused(tmp_path, text, answer):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(CourseError, match=answer):
        parts_of(["a.nii", "b.nii"], Reading(split=str(tmp_path / "s.csv")))


def test_a_table_in_json_that_says_two_things_of_one_is_refused(tmp_path):
    (tmp_path / "s.json").write_text('{"train": ["a", "b"], "test": ["c", "a"]}')
    with pytest.raises(CourseError, match="two things of 'a'"):
        parts_of(["a.nii", "b.nii", "c.nii"], Reading(split=str(tmp_path / "s.json")))
    (tmp_path / "s.json").write_text('{"train": ["a", "b", "a"], "test": ["c"]}')  # only twice
    assert parts_of(["a.nii", "c.nii"], Reading(split=str(tmp_path / "s.json")))[0][1] == "test"


def test_a_subject_in_two_given_parts_is_refused_with_all_of_their_names():
    data = own.OwnData("here", "", "", given={"a": "train", "b": "test", "c": "train", "d": "test"})
    with pytest.raises(CourseError, match=r"p \(test, train\), q \(test, train\).*--split none"):
        own.divided(data, ["a", "b", "c", "d"], ["p", "p", "q", "q"])
    with pytest.raises(CourseError, match="nothing for validation"):
        own.divided(data, ["a", "b"], ["a", "b"])
    found = own.divided(data, ["a", "b"], ["a", "b"], may_lack=["validation"])
    assert found == {"train": [0], "validation": [], "test": [1]}
