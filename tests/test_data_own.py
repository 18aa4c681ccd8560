"""The user's own data: formats are told apart, geometry is kept, and errors name the next step."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.cases import parts, subject_split
from course_lib.cli import course
from course_lib.data import own
from course_lib.errors import CourseError

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="real user data are not here")


def write_nifti(file, array, spacing=(1.0, 1.0, 1.0), axes="LPS"):
    """An array (z, y, x) in LPS order, stored with other axes."""
    from nibabel import orientations

    file.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])  # NIfTI's world is RAS
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt(axes)
    )
    nibabel.save(image.as_reoriented(turn), file)


@pytest.fixture
def ramp():
    return np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR"])
def test_volumes_come_out_in_one_orientation_with_their_spacing(tmp_path, ramp, axes):
    write_nifti(tmp_path / "images" / "a.nii.gz", ramp, (3.0, 2.0, 1.0), axes)
    write_nifti(tmp_path / "labels" / "a.nii.gz", (ramp > 60).astype(np.int16), (3, 2, 1), axes)
    (volume,) = own.read(f"path:{tmp_path}").volumes
    assert np.array_equal(volume.image, ramp)
    assert volume.spacing_mm == (3.0, 2.0, 1.0)
    assert np.array_equal(volume.labels["label"], ramp > 60)
    assert (volume.subject, volume.unit) == ("a", "a.u.")


def test_source_and_target_and_what_does_not_match(tmp_path, ramp):
    for side in ("source", "target"):
        write_nifti(tmp_path / side / "a.nii", ramp)
    (volume,) = own.read(f"path:{tmp_path}").volumes
    assert volume.labels["target"].dtype == np.float32
    write_nifti(tmp_path / "target" / "a.nii", ramp[:3])
    with pytest.raises(CourseError, match="Resample"):
        own.read(f"path:{tmp_path}")
    write_nifti(tmp_path / "source" / "b.nii", ramp)
    write_nifti(tmp_path / "target" / "b.nii", ramp)
    (tmp_path / "target" / "a.nii").unlink()
    with pytest.raises(CourseError, match=r"a\.nii has no partner"):
        own.read(f"path:{tmp_path}")


def dicom_series(folder, array, spacing=(2.5, 1.0, 0.5), skip=None):
    import SimpleITK

    folder.mkdir(parents=True)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, row in enumerate(array):
        if k == skip:
            continue
        image = SimpleITK.GetImageFromArray(row[None].astype(np.int16))
        image.SetSpacing((spacing[2], spacing[1], spacing[0]))
        tags = {
            "0008|0060": "CT",
            "0020|000e": "1.2.3",
            "0008|0018": f"1.2.3.{k + 1}",
            "0020|0032": f"0\\0\\{k * spacing[0]}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0028|1052": "-1000",
            "0028|1053": "1",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{(7 * k) % 11:02d}.dcm"))  # names in another order
        writer.Execute(image)


def test_dicom_series_are_sorted_by_place(tmp_path, ramp):
    dicom_series(tmp_path / "patient" / "series", ramp - 1000)
    (volume,) = own.read(f"path:{tmp_path}").volumes
    assert np.array_equal(volume.image, ramp - 1000)
    assert volume.spacing_mm == pytest.approx((2.5, 1.0, 0.5))
    assert (volume.subject, volume.unit) == ("patient", "HU")


def test_a_missing_slice_is_noticed(tmp_path, ramp):
    dicom_series(tmp_path / "patient", ramp - 1000, skip=2)
    with pytest.raises(CourseError, match="missing"):
        own.read(f"path:{tmp_path}")


def coco(folder, **changes):
    from skimage.io import imsave

    (folder / "images").mkdir(parents=True)
    imsave(folder / "images" / "a.png", np.zeros((8, 10, 3), np.uint8), check_contrast=False)
    content = {
        "images": [{"id": 7, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 4, 3], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
    }
    (folder / "notes.json").write_text(json.dumps(content | changes))


def test_coco_boxes_become_corners_and_crowds_are_left_out(tmp_path):
    coco(tmp_path)
    found = own.read(f"path:{tmp_path}")
    assert found.images[0].shape == (3, 8, 10)
    assert found.boxes[0].tolist() == [[2.0, 1.0, 5.0, 5.0]]
    assert found.labels[0].tolist() == [0] and found.classes == ("cell",)


@pytest.mark.parametrize("name", ["b.png", "../a.png"])
def test_coco_pictures_must_lie_in_the_folder(tmp_path, name):
    coco(tmp_path / "set", images=[{"id": 7, "file_name": name}])
    shutil.copy(tmp_path / "set" / "images" / "a.png", tmp_path / "a.png")
    with pytest.raises(CourseError, match="lacks the picture"):
        own.read(f"path:{tmp_path / 'set'}")


def test_what_cannot_be_read_says_what_can(tmp_path):
    with pytest.raises(CourseError, match=r"Decathlon.*COCO"):
        own.read(f"path:{tmp_path}")
    with pytest.raises(CourseError, match="does not exist"):
        own.read(f"path:{tmp_path / 'nothing'}")
    (tmp_path / "dataset.json").write_text('{"training": 3}')
    with pytest.raises(CourseError, match="Decathlon description"):
        own.read(f"path:{tmp_path}")
    (tmp_path / "set.npz").write_bytes(b"nothing")
    with pytest.raises(CourseError, match=r"set\.npz cannot be read"):
        own.read(f"path:{tmp_path / 'set.npz'}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.nii.gz").write_bytes(b"nothing")
    with pytest.raises(CourseError, match="cannot be read"):
        own.read(f"path:{tmp_path / 'broken'}")
    with pytest.raises(CourseError, match=r"single file\. Name the folder .*/broken\. "):
        own.read(f"path:{tmp_path / 'broken' / 'a.nii.gz'}")


def test_the_fingerprint_follows_names_and_bytes(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name / "set").mkdir(parents=True)
        (tmp_path / name / "set" / "x.bin").write_bytes(content)
    first, same, other = (own.fingerprint(f"path:{tmp_path / name / 'set'}") for name in "abc")
    assert first == same != other


def test_the_split_is_by_subject_and_does_not_follow_the_order():
    names = [f"s{i}" for i in range(20)]
    split = subject_split(names)
    assert split == subject_split(names[::-1])
    counts = [list(split.values()).count(word) for word in ("train", "validation", "test")]
    assert counts == [12, 4, 4]
    indices = parts(["s0", "s0", "s1", "s2"])
    assert sorted(i for part in indices.values() for i in part) == [0, 1, 2, 3]
    assert any({0, 1} <= set(part) for part in indices.values())
    with pytest.raises(CourseError, match="at least"):
        subject_split(["a", "b", "a"])


def test_a_job_on_own_data_knows_their_hash_and_what_fits(tmp_path, ramp):
    coco(tmp_path)
    job = Job("denoising", "median", f"path:{tmp_path}", "smoke", 0)
    job.check()
    assert job.sources()[0]["sha256"] == own.fingerprint(f"path:{tmp_path}")
    with pytest.raises(CourseError, match=r"pictures with boxes.*denoising.*volumes"):
        catalogue.question("denoising", job.dataset).make(job.dataset, "smoke", 0)


@pytest.mark.parametrize("task", ["denoising", "reconstruction_ct"])
def test_own_ct_is_scanned_and_split_by_subject(tmp_path, task):
    draw = np.random.default_rng(0)
    for name in "abcd":  # 432 mm wide, the scanner's field is 360: to be cut, not squeezed
        chest = np.full((6, 108, 108), -900, np.float32)
        chest[:, 9:-9, 9:-9] = draw.normal(0, 50, (6, 90, 90))
        write_nifti(tmp_path / f"{name}.nii.gz", chest, (3.0, 4.0, 4.0))
    found = catalogue.question(task, f"path:{tmp_path}")
    with pytest.raises(CourseError, match=r"a, b, c, d.*--unit HU"):
        found.make(f"path:{tmp_path}", "smoke", 0)
    splits = found.make(f"path:{tmp_path}?unit=HU", "smoke", 0)
    assert any("larger than it and are cut" in note for note in splits.notes)
    assert any(note.startswith("Used: all 2 volumes to train") for note in splits.notes)
    subjects = [set(getattr(splits, part).subject) for part in ("train", "validation", "test")]
    assert sorted(map(len, subjects)) == [1, 1, 2] and len(set.union(*subjects)) == 4
    batch = splits.test.tensors
    perfect = batch["normal_dose" if task == "denoising" else "target"]
    scores = found.score(perfect, batch, splits.facts)
    assert scores["ssim"].min() == pytest.approx(1)
    (tmp_path / "mr").mkdir()
    write_nifti(tmp_path / "mr" / "a.nii", np.ones((4, 5, 6), np.float32))
    with pytest.raises(CourseError, match="no CT"):
        found.make(f"path:{tmp_path / 'mr'}", "smoke", 0)


def test_help_names_own_data():
    from click.testing import CliRunner

    for command in ("run", "bench"):
        assert "path:" in CliRunner().invoke(course, [command, "--help"]).output


@needs_shared
def test_real_data_of_users():
    unverified = own.read(f"unverified:{SHARED / 'medmnist' / 'breastmnist.npz'}")
    assert unverified.images["train"].shape == (546, 1, 28, 28)
    assert unverified.provenance.endswith("unverified file")
    with pytest.raises(CourseError, match="allow-unverified"):
        own.read(f"path:{SHARED / 'medmnist' / 'breastmnist.npz'}")
    boxed = own.read(f"path:{SHARED / 'bccd'}")
    assert (len(boxed.images), sum(map(len, boxed.boxes))) == (80, 1339)
    hippocampus = own.read(f"path:{SHARED / 'Task04_Hippocampus'}")
    assert len(hippocampus.volumes) == 60 and hippocampus.names == {1: "Anterior", 2: "Posterior"}
    assert hippocampus.volumes[0].image.shape == hippocampus.volumes[0].labels["label"].shape
    assert len(own.read(f"path:{SHARED / 'brain_slices'}").names) == 6
