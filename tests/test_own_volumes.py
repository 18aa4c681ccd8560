"""The user's own volumes: forms that people have, grids and numbers that are looked at, streams."""

import struct

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel import orientations

from course_lib.data import own
from course_lib.errors import CourseError

TURN = np.deg2rad(20)
SCANNER = np.array(  # oblique, left-handed, 1.5 x 2 x 3 mm, far from the origin
    [
        [-1.5 * np.cos(TURN), 2.0 * np.sin(TURN), 0, 40.0],
        [-1.5 * np.sin(TURN), -2.0 * np.cos(TURN), 0, 60.0],
        [0, 0, 3.0, -30.0],
        [0, 0, 0, 1],
    ]
)


@pytest.fixture
def blob():
    """An image (x, y, z) that no turn leaves as it is."""
    values = np.zeros((6, 5, 4), np.float32)
    values[1:3, 3, 1:3] = 5
    values[1, 3, 1] = 9
    return values


def save(file, values, affine=SCANNER, **header):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, file)


def patched(file, place, form, *values):
    """Overwrites bytes of a NIfTI header, which nibabel would not write."""
    content = bytearray(file.read_bytes())
    struct.pack_into(f"<{form}", content, place, *values)
    file.write_bytes(bytes(content))


def read(place, said=""):
    return own.read(f"path:{place}{said}")


def refused(place, said=""):
    """What the refusal says, at once or when the first volume is taken."""
    with pytest.raises(CourseError) as error:
        list(read(place, said).volumes)
    return str(error.value)


def names(data):
    return [head.case for head in data.heads]


# ---- grids


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SLA", "AIL"])
def test_a_blob_lands_where_nibabel_puts_it_however_it_is_stored(tmp_path, blob, axes):
    stored = nibabel.Nifti1Image(blob, SCANNER)
    turn = orientations.ornt_transform(
        orientations.io_orientation(SCANNER), orientations.axcodes2ornt(axes)
    )
    (tmp_path / "images").mkdir()
    nibabel.save(stored.as_reoriented(turn), tmp_path / "images" / "a.nii.gz")
    save(tmp_path / "labels" / "a.nii.gz", (blob > 0).astype(np.uint8))  # in other axes
    (volume,) = read(tmp_path).volumes
    canonical = nibabel.as_closest_canonical(stored)
    assert np.array_equal(volume.image, canonical.get_fdata()[::-1, ::-1].transpose(2, 1, 0))
    assert np.array_equal(volume.labels["label"], volume.image > 0)
    assert volume.spacing_mm == (3, 2, 1.5) == read(tmp_path).heads[0].spacing_mm


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".hdr"])
def test_files_of_other_programs_hold_the_same_volume(tmp_path, blob, suffix):
    image = SimpleITK.GetImageFromArray(blob.transpose(2, 1, 0))
    image.SetSpacing((1.5, 2, 3))
    image.SetOrigin((-40, -60, -30))
    cos, sin = np.cos(TURN), np.sin(TURN)
    image.SetDirection((cos, -sin, 0, sin, cos, 0, 0, 0, 1))
    if suffix == ".hdr":
        save(tmp_path / "a.hdr", blob) if False else nibabel.save(
            nibabel.Nifti1Pair(blob, SCANNER), tmp_path / "a.img"
        )
    else:
        SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"))
    data = read(tmp_path)
    (volume,) = data.volumes
    expected = SimpleITK.DICOMOrient(image, "LPS")
    assert np.array_equal(volume.image, SimpleITK.GetArrayFromImage(expected))
    assert volume.spacing_mm == pytest.approx(expected.GetSpacing()[::-1])
    assert volume.origin_mm == pytest.approx(expected.GetOrigin()[::-1], abs=1e-4)
    assert names(data) == ["a"] and not data.left_out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: np.eye(4), "does not say where it lies"),
        (lambda a: a + np.pad([[1.0], [0], [0]], ((0, 1), (3, 0))), "-40|-41|39|41"),
        (lambda a: a @ np.diag([1.0, 1.0, 1.5, 1.0]), r"4\.5"),
        (lambda a: a @ np.diag([-1.0, 1.0, 1.0, 1.0]), "do not lie on one grid"),
        (lambda a: np.diag([-1.5, -2.0, 3.0, 1.0]) + np.pad(a[:, 3:], ((0, 0), (3, 0))) * [[1]] * 3
         + [[0, 0, 0, 0]] if False else np.c_[np.diag([-1.5, -2, 3, 0])[:, :3], a[:, 3]],
         "20.0 degrees oblique"),
    ],
)  # fmt: skip
def test_a_label_on_another_grid_is_refused_with_both(tmp_path, blob, change, said):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.nii", blob)
        save(tmp_path / "labels" / f"{name}.nii", (blob > 0).astype(np.uint8), change(SCANNER))
    message = refused(tmp_path)
    assert message.count("do not lie on one grid") == 2 and "2 of 2 cases" in message
    assert "(3, 2, 1.5) mm" in message
    assert any(part in message for part in said.replace("\\", "").split("|"))
