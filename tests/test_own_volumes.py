"""The user's own volumes: forms that people have, grids and numbers that are looked at, streams."""

import gzip
import json
import struct
import zlib
from urllib.parse import quote

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel import orientations

from course_lib.data import own
from course_lib.errors import CourseError
from tests import own_dicom

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
        nibabel.save(nibabel.Nifti1Pair(blob, SCANNER), tmp_path / "a.img")
    else:
        SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"))
    data = read(tmp_path)
    (volume,) = data.volumes
    expected = SimpleITK.DICOMOrient(image, "LPS")
    assert np.array_equal(volume.image, SimpleITK.GetArrayFromImage(expected))
    assert volume.spacing_mm == pytest.approx(expected.GetSpacing()[::-1])
    assert volume.origin_mm == pytest.approx(expected.GetOrigin()[::-1], abs=1e-4)
    assert names(data) == ["a"] and not data.left_out


UPRIGHT = np.c_[np.diag([-1.5, -2, 3, 0])[:, :3], SCANNER[:, 3]]


def shifted(by):
    moved = SCANNER.copy()
    moved[0, 3] += by
    return moved


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        (np.eye(4), "does not say where it lies"),
        (shifted(500), "-540"),
        (shifted(0.75), "-40.75"),  # half a voxel
        (SCANNER @ np.diag([1, 1, 1.5, 1]), "(4.5, 2, 1.5) mm"),
        (SCANNER @ np.diag([-1, 1, 1, 1]), "stored RPS"),
        (UPRIGHT, "20.0 degrees oblique"),
    ],
)
def test_a_label_on_another_grid_is_refused_with_both(tmp_path, blob, affine, said):
    for name in "ab":
        save(tmp_path / "images" / f"{name}.nii", blob)
        save(tmp_path / "labels" / f"{name}.nii", (blob > 0).astype(np.uint8), affine)
    message = refused(tmp_path)
    assert message.count("do not lie on one grid") == 2 and "2 of 2 cases" in message
    assert "(3, 2, 1.5) mm" in message and said in message
    assert ("--resample-labels" in message) == (affine is not np.eye(4) and "lies" not in said)


def test_rounded_headers_are_one_grid(tmp_path, blob):
    save(tmp_path / "a.nii", blob)
    save(tmp_path / "a_seg.nii", (blob > 0).astype(np.uint8), shifted(0.05).astype(np.float32))
    (volume,) = read(tmp_path).volumes
    assert np.array_equal(volume.labels["label"], volume.image > 0)


def test_labels_come_onto_their_images_grid_by_the_headers(tmp_path):
    draw = np.random.default_rng(0)
    fine = np.zeros((24, 20, 16), np.uint8)
    fine[4:9, 11:15, 3:10] = 300 % 256
    fine[14:18, 2:7, 8:12] = 7
    half = SCANNER @ np.diag([0.5, 0.5, 0.5, 1])
    save(tmp_path / "images" / "a.nii", draw.normal(size=(12, 10, 8)).astype(np.float32))
    save(tmp_path / "labels" / "a.nii", fine, half)
    assert "do not lie on one grid" in refused(tmp_path)
    data = read(tmp_path, "?resample_labels=yes")
    (volume,) = data.volumes
    image, label = (SimpleITK.ReadImage(str(tmp_path / d / "a.nii")) for d in ("images", "labels"))
    expected = SimpleITK.Resample(
        label, image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor
    )
    expected = SimpleITK.GetArrayFromImage(SimpleITK.DICOMOrient(expected, "LPS"))
    assert np.array_equal(volume.labels["label"], expected) and set(np.unique(expected)) == {
        0,
        7,
        44,
    }
    assert any("brought onto" in note for note in data.notes)
    save(tmp_path / "labels" / "a.nii", fine, np.eye(4))
    assert "does not say where it lies" in refused(tmp_path, "?resample_labels=yes")
    far = half.copy()
    far[2, 3] += 500
    save(tmp_path / "labels" / "a.nii", fine, far)
    assert "loses its structures [7, 44]" in refused(tmp_path, "?resample_labels=yes")


def test_a_target_is_never_resampled(tmp_path, blob):
    save(tmp_path / "source" / "a.nii", blob)
    save(tmp_path / "target" / "a.nii", blob, shifted(30))
    message = refused(tmp_path, "?resample_labels=yes")
    assert "Resample one onto the grid of the other first" in message


SHEARED = SCANNER @ np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        (SHEARED, "off a right angle"),
        (np.diag([1.0, 1, 0, 1]), "gives no grid"),
        (np.diag([1.0, 1, np.nan, 1]), "gives no grid"),
        (np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "gives no grid"),
    ],
)
def test_headers_that_give_no_straight_grid_are_refused(tmp_path, blob, affine, said):
    save(tmp_path / "a.nii", blob)
    patched(tmp_path / "a.nii", 252, "2h", 0, 1)
    patched(tmp_path / "a.nii", 280, "12f", *affine[:3].ravel())
    message = refused(tmp_path)
    assert said in message and "a.nii" in message


def test_micrometres_are_micrometres(tmp_path, blob):
    save(tmp_path / "a.nii", blob, np.diag([50.0, 50, 80, 1]), xyzt_units=3)
    assert read(tmp_path).heads[0].spacing_mm == (0.08, 0.05, 0.05)


def test_what_a_header_does_not_say_is_told(tmp_path, blob):
    save(tmp_path / "a.nii", blob, np.diag([2.0, 2, 2, 1]))
    patched(tmp_path / "a.nii", 80, "3f", 0, 0, 0)
    patched(tmp_path / "a.nii", 252, "2h", 0, 0)
    data = read(tmp_path)
    assert data.heads[0].spacing_mm == (1, 1, 1)
    assert any("spacing of a.nii is not known" in note for note in data.notes)
    assert any("do not say where left is" in note for note in data.notes)


def test_a_header_that_disagrees_with_itself_is_told(tmp_path, blob):
    image = nibabel.Nifti1Image(blob, np.eye(4))
    image.set_sform(np.diag([-1.0, 1, 2, 1]), 1)
    image.set_qform(np.diag([1.0, 1, 2, 1]), 1)
    nibabel.save(image, tmp_path / "a.nii")
    data = read(tmp_path)
    assert any("sform and qform of a.nii differ: the sform is taken" in n for n in data.notes)
    assert np.array_equal(data.volumes[0].image, blob[:, ::-1].transpose(2, 1, 0))


# ---- what a file claims, and the kinds of numbers in it


def test_impossible_claims_are_refused_before_a_voxel_is_read(tmp_path, blob):
    claims = {"huge": (10000, 10000, 10000), "negative": (-5, 8, 8), "none": (0, 8, 8)}
    for name, sides in claims.items():
        save(tmp_path / f"{name}.nii", blob)
        patched(tmp_path / f"{name}.nii", 40, "4h", 3, *sides)
    save(tmp_path / "short.nii", blob)
    patched(tmp_path / "short.nii", 40, "4h", 3, 60, 50, 40)
    save(tmp_path / "bomb.nii", blob)
    patched(tmp_path / "bomb.nii", 40, "4h", 3, 900, 900, 900)
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress((tmp_path / "bomb.nii").read_bytes()))
    (tmp_path / "bomb.nii").unlink()
    (tmp_path / "empty.nii").write_bytes(b"")
    (tmp_path / "junk.nrrd").write_bytes(b"NRRD0004\nnothing")
    save(tmp_path / "flow.nii", np.zeros((4, 4, 4, 1, 3), np.float32))
    message = refused(tmp_path)
    for name in (*claims, "short", "bomb", "empty", "junk", "flow"):
        assert f"{name}: " in message, message
    assert "8 of 8 cases" in message and "--skip" in message
    save(tmp_path / "good.nii", blob)
    data = read(tmp_path, "?skip=yes")
    assert names(data) == ["good"] and {one.name for one in data.left_out} >= set(claims)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (np.complex64, "complex numbers"),
        (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), "colours (R, G, B)"),
    ],
)
def test_numbers_that_are_no_grey_values_are_refused(tmp_path, kind, said):
    save(tmp_path / "a.nii", np.zeros((4, 4, 4), kind))
    assert said in refused(tmp_path)


def test_colours_in_nrrd_are_refused(tmp_path):
    image = SimpleITK.GetImageFromArray(np.zeros((4, 4, 4, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
    assert "3 values a voxel" in refused(tmp_path)


@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_damaged_packed_files_are_all_named(tmp_path, how):
    draw = np.random.default_rng(0)
    for name in "abc":
        save(tmp_path / f"{name}.nii.gz", draw.normal(size=(9, 9, 9)).astype(np.float32))
    for name in "ac":
        file = tmp_path / f"{name}.nii.gz"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 8
        file.write_bytes(content[:-300] if how == "cut" else content)
    message = refused(tmp_path)
    assert "2 of 3 cases" in message and "a.nii.gz" in message and "c.nii.gz" in message
    data = read(tmp_path, "?skip=yes")
    assert names(data) == ["b"] and [one.name for one in data.left_out] == ["a", "c"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_with_nan_are_refused_with_count_and_place(tmp_path, blob, value):
    wrong = blob.copy()
    wrong[5, 4, 3] = value
    for name in "ab":
        save(tmp_path / f"{name}.nii", wrong, np.diag([-1.0, -1, 1, 1]))
    save(tmp_path / "c.nii", blob)
    message = refused(tmp_path)
    assert "1 voxels of 120" in message and "(3, 4, 5) (z, y, x)" in message
    assert "2 of 3 cases" in message
    assert names(read(tmp_path, "?skip=yes")) == ["c"]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([0, 0.99999, 1.99998], np.float32), [0, 1, 2]),
        (np.array([0, 1, 70000], np.int32), [0, 1, 70000]),
        (np.array([0, 1, 40000], np.uint16), [0, 1, 40000]),
        (np.array([0, 1, 2**40]), "1099511627776"),
        (np.array([0, 1, 0.5], np.float32), "0.5"),
        (np.array([0, 1, np.nan], np.float32), "NaN"),
        (np.array([0, 1, -1], np.int16), "-1"),
    ],
)
def test_labels_are_whole_numbers_or_refused(tmp_path, blob, stored, expected):
    numbers = np.zeros((6, 5, 4), stored.dtype)
    numbers[:3, 0, 0] = stored
    save(tmp_path / "a.nii", blob)
    nibabel.save(nibabel.Nifti1Image(numbers, SCANNER, dtype=stored.dtype), tmp_path / "a_seg.nii")
    if isinstance(expected, str):
        assert expected in refused(tmp_path)
    else:
        (volume,) = read(tmp_path).volumes
        assert np.unique(volume.labels["label"]).tolist() == expected
        assert volume.labels["label"].dtype.kind in "iu"


def test_a_slope_in_the_header_does_not_cut_labels_down(tmp_path, blob):
    save(tmp_path / "a.nii", blob)
    save(tmp_path / "a_seg.nii", (blob > 0).astype(np.int16) * 16383 + (blob > 6) * np.int16(16383))
    patched(tmp_path / "a_seg.nii", 112, "2f", 0.99999 / 16383, 0)
    (volume,) = read(tmp_path).volumes
    assert np.array_equal(volume.labels["label"], (volume.image > 0) + 1 * (volume.image > 6))


# ---- the unit


def test_the_unit_is_never_guessed_from_the_values(tmp_path, blob):
    phase = blob * 1000 - 4000
    save(tmp_path / "a.nii", phase)
    data = read(tmp_path)
    (volume,) = data.volumes
    assert volume.unit == data.heads[0].unit == "a.u." and volume.image.min() == -4000
    assert volume.image.max() == 5000, "nothing is cut off"
    assert any("--unit HU" in note for note in data.notes)
    said = read(tmp_path, "?unit=HU")
    assert said.volumes[0].image.max() == 3071 and said.heads[0].unit == "HU"
    assert not any("--unit" in note for note in said.notes)
    save(tmp_path / "a.nii", blob)
    assert "smallest value is 0" in refused(tmp_path, "?unit=HU")


def test_the_unit_of_targets_is_said_too(tmp_path, blob):
    save(tmp_path / "source" / "a.nii", blob)
    save(tmp_path / "target" / "a.nii", 1000 * blob - 4000)
    (volume,) = read(tmp_path).volumes
    assert volume.target_unit == "a.u." and volume.labels["target"].min() == -4000
    assert any("a.u.,HU" in note for note in read(tmp_path).notes)
    (volume,) = read(tmp_path, "?unit=a.u.,HU").volumes
    assert (volume.unit, volume.target_unit) == ("a.u.", "HU")
    assert volume.labels["target"].max() == 3071 and volume.image.max() == 9
    assert "source/a.nii" not in refused(tmp_path, "?unit=HU")


@pytest.mark.parametrize("name", ["sub-1_ct.nii.gz", "sub-1_acq-thin_CT.nii.gz"])
def test_bids_says_ct(tmp_path, blob, name):
    save(tmp_path / "sub-1" / name, blob - 1000)
    assert read(tmp_path).heads[0].unit == "HU"
    assert read(tmp_path, "?unit=a.u.").heads[0].unit == "a.u."


# ---- forms that people have


def put(place, *paths):
    """Small volumes of one person; those that are label maps by name say where values are high."""
    draw = np.random.default_rng(zlib.crc32(paths[0].encode()))
    image = draw.normal(100, 5, (6, 5, 4)).astype(np.float32)
    for path in paths:
        label = any(word in path.lower() for word in ("label", "seg", "mask", "1stho"))
        save(place / path, (image > 100).astype(np.uint8) if label else image)


FORMS = {
    "decathlon's folders without their list": [
        "imagesTr/{}.nii.gz",
        "labelsTr/{}.nii.gz",
    ],
    "nnU-Net's folders without their list": ["imagesTr/{}_0000.nii.gz", "labelsTr/{}.nii.gz"],
    "masks in a folder": ["images/{}.nii", "masks/{}.nii"],
    "names of the folders in capitals": ["Images/{}.NII.GZ", "Labels/{}_label.nii.gz"],
    "one folder, _seg": ["{}.nii.gz", "{}_seg.nii.gz"],
    "one folder, -label": ["{}.nii", "{}-label.nii"],
    "one folder, .seg": ["{}.nii", "{}.seg.nii"],
    "one folder, _mask of a contrast": ["{}_T1w.nii.gz", "{}_T1w_brain_mask.nii.gz"],
    "one folder, 1stHO": ["{}.nii", "{}_1stHO.nii"],
    "one folder, two words": ["{}_image.nii", "{}_labels.nii"],
    "one folder, words first": ["volume-{}.nii", "segmentation-{}.nii"],
    "a folder for each": ["{}/image.nii.gz", "{}/label.nii.gz"],
    "a folder for each, one contrast": ["{}/t1.nii.gz", "{}/seg.nii.gz"],
    "a folder for each, named alike": ["{0}/{0}_flair.nii", "{0}/{0}_seg.nii"],
    "a folder for each, masks below": ["{}/ct.nii", "{}/segmentations/organs.nii"],
    "masks below the images": ["{}.nii", "masks/{}.nii"],
    "BIDS": ["sub-{0}/anat/sub-{0}_T1w.nii.gz", "derivatives/x/sub-{0}/anat/sub-{0}_dseg.nii.gz"],
    "BIDS with visits": [
        "sub-{0}/ses-1/anat/sub-{0}_ses-1_run-1_T2w.nii.gz",
        "derivatives/m/sub-{0}/ses-1/anat/sub-{0}_ses-1_desc-lesion_mask.nii.gz",
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_label_maps_find_their_images_however_people_lay_them(tmp_path, form):
    for name in ("P01", "P02", "P10"):
        put(tmp_path, *(path.format(name) for path in FORMS[form]))
    data = read(tmp_path)
    assert len(data.heads) == 3 and {head.labels for head in data.heads} == {("label",)}
    assert len({head.subject for head in data.heads}) == 3
    for volume in data.volumes:
        assert np.array_equal(volume.labels["label"], volume.image > 100), "its own label"
    assert not data.left_out


@pytest.mark.parametrize(
    "paths",
    [
        ["source/{}.nii", "target/{}.nii"],
        ["{}_source.nii", "{}_target.nii"],
        ["{}/source.nii", "{}/target.nii"],
    ],
)
def test_targets_find_their_sources(tmp_path, paths):
    for name in "abc":
        put(tmp_path, *(path.format(name) for path in paths))
    data = read(tmp_path)
    assert [head.labels for head in data.heads] == [("target",)] * 3
    assert data.volumes[1].labels["target"].dtype == np.float32


def test_parts_of_a_split_are_no_subjects(tmp_path):
    for part in ("train", "val", "test"):
        for name in "ab":
            put(tmp_path, f"{part}/images/{part}{name}.nii", f"{part}/labels/{part}{name}.nii")
    data = read(tmp_path)
    assert names(data) == ["testa", "testb", "traina", "trainb", "vala", "valb"]
    assert data.given == {f"{word}{k}": part for word, part in
                          (("train", "train"), ("val", "validation"), ("test", "test"))
                          for k in "ab"}  # fmt: skip


def test_test_images_with_labels_are_tested_on(tmp_path):
    for k in range(6):
        put(tmp_path, f"imagesTr/a{k}.nii", f"labelsTr/a{k}.nii")
    put(tmp_path, "imagesTs/b.nii", "labelsTs/b.nii")
    given = read(tmp_path).given
    assert given["b"] == "test" and sorted(given.values()).count("train") == 5


def test_masks_are_never_further_subjects(tmp_path):
    put(tmp_path, "a.nii", "a_seg.nii", "b.nii", "c_mask.nii")
    message = refused(tmp_path)
    assert "b: b.nii has no partner: no label" in message
    assert "c_mask.nii: a label that has no partner" in message
    data = read(tmp_path, "?skip=yes")
    assert names(data) == ["a"]
    assert [one.name for one in data.left_out] == ["c_mask.nii", "b"]


def test_names_that_only_may_be_labels_are_images_alone(tmp_path):
    put(tmp_path, "roi_1.nii", "roi_2.nii")
    assert names(read(tmp_path)) == ["roi_1", "roi_2"]
    put(tmp_path / "masked", "p_masked.nii", "q_masked.nii")
    assert names(read(tmp_path / "masked")) == ["p_masked", "q_masked"]


def test_two_visits_are_of_one_subject(tmp_path):
    for who in "012":
        put(tmp_path, *(f"sub-{who}_ses-{visit}_T1w.nii.gz" for visit in "12"))
    data = read(tmp_path)
    assert len(data.heads) == 6 and {head.subject for head in data.heads} == {
        "sub-0",
        "sub-1",
        "sub-2",
    }


def test_two_files_of_one_name_are_refused(tmp_path):
    put(tmp_path, "a.nii", "a.nii.gz", "b.nii")
    message = refused(tmp_path)
    assert "a.nii, a.nii.gz" in message and "Keep one" in message
    assert names(read(tmp_path, "?skip=yes")) == ["b"]


@pytest.mark.parametrize(
    "paths",
    [
        ["sub-{0}/anat/sub-{0}_T1w.nii", "sub-{0}/anat/sub-{0}_T2w.nii"],
        ["{}/T1w.nii", "{}/T2w.nii"],
        ["{0}/{0}_T1w.nii", "{0}/{0}_T2w.nii"],
        ["{}_T1w.nii", "{}_T2w.nii"],
        ["T1w/{}.nii", "T2w/{}.nii"],
        ["T1w_{}.nii", "T2w_{}.nii"],
    ],
)
def test_of_several_contrasts_one_is_asked_for(tmp_path, paths):
    for name, path in (("p1", 0), ("p1", 1), ("p2", 1), ("p3", 0), ("p3", 1)):
        put(tmp_path, paths[path].format(name))
    message = refused(tmp_path)
    assert "T1w of 2" in message and "T2w of 3" in message and "--series" in message
    data = read(tmp_path, "?series=t2w")
    assert len(data.heads) == 3 and not any("T1w" in head.case for head in data.heads)
    data = read(tmp_path, "?series=T1w")
    assert len(data.heads) == 2
    assert any("p2" in one.name and one.why == "has no T1w" for one in data.left_out)
    assert "'FLAIR' names none or several" in refused(tmp_path, "?series=FLAIR")


@pytest.mark.parametrize("people", [("P1", "P2", "P3"), ("001", "002")])
def test_folders_with_files_of_the_same_names_are_not_taken_for_people(tmp_path, people):
    for name in people:
        put(tmp_path, f"A/{name}.nii", f"B/{name}.nii")
    assert "A of" in refused(tmp_path) and "B of" in refused(tmp_path)
    assert names(read(tmp_path, "?series=B")) == [name for name in people]
    apart = read(tmp_path, "?subject=" + quote("(.*)[.]nii"))
    assert len({head.subject for head in apart.heads}) == 2 * len(people)


def test_dicom_beside_nifti_is_said_to_be_left_out(tmp_path):
    put(tmp_path, "a.nii.gz", "b.nii.gz")
    own_dicom.series(tmp_path / "scan", np.zeros((4, 8, 8)))
    (left,) = read(tmp_path).left_out
    assert left.name == "4 files of DICOM" and "name the folder of the DICOM alone" in left.why


def test_what_lies_beside_the_images_folder_is_no_image(tmp_path):
    put(tmp_path, "images/a.nii", "labels/a.nii", "atlas.nii", "old/a.nii")
    data = read(tmp_path)
    assert names(data) == ["a"] and {one.name for one in data.left_out} == {
        "atlas.nii",
        "old/a.nii",
    }


def test_what_a_bids_set_holds_besides_is_left_out(tmp_path):
    for who in "123":
        put(tmp_path, f"sub-{who}/anat/sub-{who}_T1w.nii.gz")
        put(
            tmp_path / "derivatives" / "prep",
            *(f"sub-{who}_{end}.nii.gz" for end in ("desc-brain_mask", "desc-prep_T1w", "dseg")),
        )
    put(tmp_path, "template.nii.gz")
    data = read(tmp_path)
    assert names(data) == [f"sub-{who}_T1w" for who in "123"]
    assert data.heads[0].labels == ("label",) and len(data.left_out) == 7


def test_visits_in_folders_are_of_one_person(tmp_path):
    for who in ("anna", "ben", "cleo"):
        put(tmp_path, *(f"{who}/{visit}/brain.nii" for visit in ("baseline", "2020-03-01")))
    data = read(tmp_path)
    assert len(data.heads) == 6 and {h.subject for h in data.heads} == {"anna", "ben", "cleo"}


def test_several_volumes_in_a_file_are_told_and_chosen(tmp_path):
    values = np.stack([np.full((5, 4, 3), k, np.float32) for k in (7, 8, 9)], -1)
    save(tmp_path / "a.nii.gz", values)
    data = read(tmp_path)
    assert (data.volumes[0].image == 7).all()
    assert any("a.nii.gz (0 of 0 to 2)" in note for note in data.notes)
    assert (read(tmp_path, "?series=2").volumes[0].image == 9).all()
    assert "none is 3" in refused(tmp_path, "?series=3")


def test_what_is_no_volume_is_listed_and_clutter_is_not(tmp_path):
    put(tmp_path, "a.nii", "b.nii")
    for name in ("._a.nii", ".DS_Store", "__MACOSX/._b.nii", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for k in range(5):
        (tmp_path / f"{k}.json").write_text("{}")
    data = read(tmp_path)
    assert names(data) == ["a", "b"]
    assert [one.name for one in data.left_out] == ["5 files *.json", "notes.txt"]


# ---- descriptions


def decathlon(place, rows, encoding="utf-8", **changes):
    about = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "organ"},
        "training": rows,
    }
    place.mkdir(exist_ok=True)
    (place / "dataset.json").write_text(json.dumps(about | changes), encoding)


def row(name, before="./"):
    return {word: f"{before}{word}sTr/{name}.nii.gz" for word in ("image", "label")}


@pytest.mark.parametrize("how", ["plain", "mark", "backslash", "absolute", "elsewhere", "mac"])
def test_a_decathlon_list_is_read_as_people_write_it(tmp_path, how):
    put(tmp_path, *(f"{word}sTr/{n}.nii.gz" for n in "abc" for word in ("image", "label")))
    before = {"absolute": f"{tmp_path}/", "elsewhere": "/home/ada/Task01/"}.get(how, "./")
    rows = [row(name, before) for name in "abc"]
    if how == "backslash":
        rows = [{word: path.replace("/", "\\") for word, path in one.items()} for one in rows]
    if how == "mac":
        rows.append(row("._a"))
    decathlon(tmp_path, rows, "utf-8-sig" if how == "mark" else "utf-8")
    data = read(tmp_path)
    assert names(data) == ["a", "b", "c"] and data.names == {1: "organ"} and not data.left_out
    assert data.heads[0].unit == "a.u."
    decathlon(tmp_path, rows, modality={"0": "CT"})
    assert read(tmp_path).heads[0].unit == "HU"


def test_an_odd_case_of_a_list_is_named_and_left_out(tmp_path):
    put(tmp_path, *(f"{word}sTr/{n}.nii.gz" for n in "abc" for word in ("image", "label")))
    put(tmp_path, "imagesTs/t.nii.gz")
    (tmp_path / "labelsTr" / "b.nii.gz").unlink()
    decathlon(tmp_path, [row(name) for name in "abc"])
    message = refused(tmp_path)
    assert "b: labelsTr/b.nii.gz does not exist" in message and "1 of 3 cases" in message
    data = read(tmp_path, "?skip=yes")
    assert names(data) == ["a", "c"]
    assert [one.name for one in data.left_out] == ["1 volumes in imagesTs/", "b"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"training": 3}',
        "[" * 100_000,
        '{"modality": {"0": "CT"}, "labels": {}, "training": []}',
        '{"modality": {"0": "CT"}, "labels": {}, "training": [{"image": null, "label": "b.nii"}]}',
        '{"modality": {"0": "CT"}, "labels": {}, "training": [{"image": "a.nii", "label": "b"}]}',
        '{"modality": {"0": "CT"}, "labels": {}, "training": [{"image": "../../etc/passwd", '
        '"label": "../x"}]}',
        '{"modality": {"0": "CT"}, "labels": ["x"], "training": [{"image": "a", "label": "b"}]}',
    ],
)
def test_broken_lists_are_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(CourseError, match=r"dataset\.json|does not exist"):
        read(tmp_path)


def test_several_contrasts_of_a_list_are_told_and_chosen(tmp_path):
    values = np.stack([np.full((5, 4, 3), k, np.float32) for k in (7, 8, 9)], -1)
    save(tmp_path / "imagesTr" / "a.nii.gz", values)
    put(tmp_path, "labelsTr/a.nii.gz")
    save(tmp_path / "labelsTr" / "a.nii.gz", np.ones((5, 4, 3), np.uint8))
    decathlon(tmp_path, [row("a")], modality={"0": "FLAIR", "1": "T1w", "2": "T1gd"})
    data = read(tmp_path)
    assert (data.volumes[0].image == 7).all()
    assert any("FLAIR, T1w, T1gd" in note and "--series" in note for note in data.notes)
    assert (read(tmp_path, "?series=t1gd").volumes[0].image == 9).all()
    assert "fits none or several" in refused(tmp_path, "?series=T1")


def nnunet(place, channels, **changes):
    about = {"channel_names": channels, "labels": {"background": 0, "organ": 1, "rim": [1, 2]}}
    (place / "dataset.json").write_text(json.dumps(about | changes))


def test_nnunet_folders_are_read_as_they_lie(tmp_path):
    for name in "abc":
        put(tmp_path, f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz")
    put(tmp_path, "imagesTs/t_0000.nii.gz")
    nnunet(tmp_path, {"0": "CT"})
    data = read(tmp_path)
    assert names(data) == ["a", "b", "c"] and data.names == {1: "organ"}
    assert data.heads[0].unit == "HU" and data.heads[0].labels == ("label",)
    assert [one.name for one in data.left_out] == ["1 volumes in imagesTs/"]


def test_regions_of_nnunet_are_told_and_a_number_with_two_names_is_refused(tmp_path):
    for name in "abc":
        put(tmp_path, f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz")
    nnunet(tmp_path, {"0": "T1"})
    assert "Regions of several labels (rim) are taken label by label." in read(tmp_path).notes
    nnunet(tmp_path, {"0": "T1"}, labels={"background": 0, "organ": 1, "rim": 1})
    assert "label 1 is called 'organ' and 'rim'" in refused(tmp_path)
    nnunet(tmp_path, {"0": "T1"}, labels=["background", "organ"])
    assert "its 'labels' are ['background', 'organ'], not numbers with names" in refused(tmp_path)


def test_channels_of_nnunet_are_asked_for(tmp_path):
    for name in "ab":
        put(tmp_path, *(f"imagesTr/{name}_000{k}.nii.gz" for k in "01"), f"labelsTr/{name}.nii.gz")
    nnunet(tmp_path, {"0": "T1", "1": "CT"})
    assert "several contrasts" in refused(tmp_path)
    data = read(tmp_path, "?series=ct")
    assert names(data) == ["a", "b"] and data.heads[0].unit == "HU"
    (tmp_path / "imagesTr" / "b_0001.nii.gz").unlink()
    assert "b: has no file of channel 0001" in refused(tmp_path, "?series=ct")


def test_files_of_voxelmorph_hold_volume_and_map(tmp_path, blob):
    for name in "ab":
        np.savez_compressed(tmp_path / f"{name}.npz", vol=blob, seg=(blob > 0).astype(np.int32))
    data = read(tmp_path)
    assert [head.labels for head in data.heads] == [("label",)] * 2
    assert np.array_equal(data.volumes[0].image, blob[::-1, ::-1].transpose(2, 1, 0))
    assert np.array_equal(data.volumes[0].labels["label"], data.volumes[0].image > 0)
    assert any("1 mm is taken" in note for note in data.notes)
    np.savez(tmp_path / "c.npz", train_images=blob)
    (tmp_path / "d.npz").write_bytes(b"PK")
    assert [one.name for one in read(tmp_path).left_out] == ["c.npz", "d.npz"]
    np.savez(tmp_path / "e.npz", vol=np.array([{}], dtype=object), seg=blob)
    assert "1 of 3 cases" in refused(tmp_path)


# ---- streams


def test_volumes_are_read_when_taken_and_not_kept(tmp_path, monkeypatch):
    from course_lib.data.own import formats

    put(tmp_path, *(f"{k:02d}.nii" for k in range(40)))
    taken = []
    whole = formats.read_voxels
    monkeypatch.setattr(
        formats,
        "read_voxels",
        lambda grid, *rest, **kw: taken.append(grid) or whole(grid, *rest, **kw),
    )
    data = read(tmp_path)
    assert len(data.heads) == len(data.volumes) == 40 and not taken
    first = data.volumes[3]
    assert [grid.file.name for grid in taken] == ["03.nii"] and first.case == "03"
    assert data.volumes[3] is not first and len(data.volumes[-2:]) == 2
    assert [head.case for head in data.heads] == [volume.case for volume in data.volumes]


def test_forty_volumes_are_not_held_in_memory(tmp_path):
    import tracemalloc

    for k in range(40):
        save(tmp_path / f"{k}.nii", np.full((40, 40, 40), k, np.float32))
    one = 40**3 * 4
    data = read(tmp_path)
    list(data.volumes[:1])
    tracemalloc.start()
    total = sum(float(volume.image[0, 0, 0]) for volume in data.volumes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == sum(range(40)) and peak < 8 * one


def test_large_label_numbers_reach_the_questions_as_they_are(tmp_path):
    from course_lib import catalogue

    for name in "abcd":
        label = np.zeros((16, 16, 16), np.int32)
        label[2:9, 2:9, 2:9], label[10:14, 10:14, 10:14] = 70000, 4464  # 70000 in 16 bits
        save(tmp_path / f"{name}.nii", label.astype(np.float32) / 1000)
        save(tmp_path / f"{name}_seg.nii", label)
    splits = catalogue.question("segmentation", f"path:{tmp_path}").make(
        f"path:{tmp_path}", "smoke", 0
    )
    assert splits.facts.structures == ("label 70000", "label 4464")
    assert {1, 2} <= set(splits.test["label"].unique().tolist())
