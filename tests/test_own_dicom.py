"""The user's own DICOM: who, which series, where its slices lie, and what its numbers mean."""

import locale

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from course_lib import catalogue
from course_lib.data import own
from course_lib.data.own import dicom_headers
from course_lib.errors import CourseError
from tests.own_dicom import CAPTURE, CT, DX, MR, frames, image, save, series

UP = np.array([0.0, 0.0, 1.0])


def ramp(slices=6, rows=8, columns=7, start=-100):
    count = slices * rows * columns
    return np.arange(start, start + count, dtype=np.float32).reshape(slices, rows, columns)


def read(place, **said):
    return own.read(f"path:{place}{own.reading.query(own.Reading(**said))}")


def mr(folder, volume, **tags):
    tags = {
        "Modality": "MR",
        "SOPClassUID": MR,
        "RescaleSlope": None,
        "RescaleIntercept": None,
    } | tags
    series(folder, volume, **tags)


# ---- who


def test_folders_of_one_patient_are_one_subject(tmp_path):
    for folder, patient in (("a", "P1"), ("b", "P1"), ("c", "P2")):
        series(tmp_path / folder, ramp(), PatientID=patient, StudyDate=f"2020010{ord(folder) - 96}",
               StudyInstanceUID=f"1.{ord(folder)}")  # fmt: skip
    found = read(tmp_path)
    assert [v.subject for v in found.volumes] == ["P1", "P1", "P2"]
    assert [v.case for v in found.volumes] == ["P1/20200101", "P1/20200102", "P2"]
    assert "2 subjects, by PatientID" in found.notes[0]


@pytest.mark.parametrize("word", ["", "ANONYMOUS", None])
def test_without_a_patient_the_folder_is_the_subject(tmp_path, word):
    for folder in "abc":
        series(tmp_path / folder / "ct", ramp(), PatientID=word)
    found = read(tmp_path)
    assert [v.subject for v in found.volumes] == ["a", "b", "c"]
    assert "folder" in found.notes[0]


def test_folders_called_train_val_and_test_are_a_split_and_no_subjects(tmp_path):
    people = {"train": "abc", "val": "de", "test": "f"}
    for part, names in people.items():
        for name in names:
            series(tmp_path / part / name, ramp())
    found = read(tmp_path)
    assert [v.subject for v in found.volumes] == list("abcdef")
    assert {found.given[n] for n in "de"} == {"validation"} and found.given["f"] == "test"


def test_a_rule_for_subjects_goes_before_the_patient(tmp_path):
    for name in ("x-1", "y-1", "z-2"):
        series(tmp_path / name, ramp(), PatientID=name, SeriesDescription="ct",
               StudyInstanceUID=f"1.{ord(name[0])}")  # fmt: skip
    assert [v.subject for v in read(tmp_path, subject=r"-(\d)/").volumes] == ["1", "1", "2"]


# ---- which series


def study(place, names="ab", **more):
    """T1, T2 and what else a scanner sends, of each patient."""
    for name in names:
        for number, word in enumerate(("T1 axial", "T2 axial"), 1):
            mr(place / name / word[:2], ramp(5 + number, start=1000 * number), PatientID=name,
               SeriesDescription=word, SeriesNumber=number)  # fmt: skip


def test_of_several_series_none_is_chosen_in_silence(tmp_path):
    study(tmp_path)
    with pytest.raises(CourseError) as refused:
        read(tmp_path)
    for word in ("2 of 2 subjects", "T1 axial (series 1, MR, 6 of 8 x 7", "T2 axial", "--series"):
        assert word in str(refused.value)


@pytest.mark.parametrize("text", ["T1", "t1 AXIAL", "1", "series 1", "axial, 6 of 8 x 7"])
def test_a_series_is_chosen_by_what_is_listed(tmp_path, text):
    study(tmp_path)
    found = read(tmp_path, series=text)
    assert [v.image.min() for v in found.volumes] == [1000, 1000]
    assert [left.why for left in found.left_out] == ["another series is taken"] * 2
    assert "T1 axial (2)" in " ".join(found.notes)


def test_a_whole_description_goes_before_a_part_of_one(tmp_path):
    mr(tmp_path / "a" / "1", ramp(), SeriesDescription="T1")
    mr(tmp_path / "a" / "2", ramp(), SeriesDescription="T1 post contrast")
    assert read(tmp_path, series="T1").notes[1] == "Series taken: T1 (1)."
    with pytest.raises(CourseError, match="no series fits 'FLAIR' among T1"):
        read(tmp_path, series="FLAIR")


def test_what_is_no_scan_is_left_out_and_named(tmp_path):
    for name in "abc":
        mr(tmp_path / name / "scan", ramp(4), PatientID=name, SeriesDescription="T1")
        grey = {"PatientID": name, "ImagePositionPatient": None, "ImageOrientationPatient": None}
        series(tmp_path / name / "3d", np.zeros((9, 8, 8, 3)), SOPClassUID=CAPTURE, Modality="OT",
               SeriesDescription="turning", **grey)  # fmt: skip
        series(tmp_path / name / "shot", ramp(9), SOPClassUID=CAPTURE, Modality="MR", **grey)
        mr(tmp_path / name / "loc", ramp(9), PatientID=name, ImageType=["ORIGINAL", "LOCALIZER"])
        mr(tmp_path / name / "scout", ramp(9), PatientID=name, SeriesDescription="Scout 3 planes")
        mr(tmp_path / name / "raw", ramp(9), **grey)
        report = pydicom.Dataset()
        report.PatientID, report.Modality, report.SOPClassUID = name, "SR", "1.2.840.10008.5.1.4"
        report.SOPInstanceUID, report.file_meta = "1.2", image(ramp(1)[0]).file_meta
        save(report, tmp_path / name / "report")
    found = read(tmp_path)
    assert [len(v.image) for v in found.volumes] == [4, 4, 4]
    whys = sorted(left.why for left in found.left_out if left.name.startswith("a:"))
    assert whys == [
        "a localiser",
        "a localiser",
        "a secondary capture (a screenshot or a text)",
        "colour",
        "no image",
        "no position",
    ]


def test_a_subject_without_a_scan_is_named_and_not_dropped(tmp_path):
    for name in "abcd":
        tags = {} if name != "d" else {"ImagePositionPatient": None}
        series(tmp_path / name, ramp(), **tags)
    with pytest.raises(CourseError, match=r"1 of 4 subjects.*d: no volume.*no position.*--skip"):
        read(tmp_path)
    assert [v.subject for v in read(tmp_path, skip=True).volumes] == ["a", "b", "c"]


def test_ct_of_some_and_mr_of_others_are_no_data_set(tmp_path):
    series(tmp_path / "a", ramp())
    mr(tmp_path / "b", ramp())
    with pytest.raises(CourseError, match=r"CT of 1, MR of 1"):
        read(tmp_path)
    assert [v.subject for v in read(tmp_path, series="MR", skip=True).volumes] == ["b"]


# ---- several images at one place


def twice(tag, values):
    """Each place twice, told by a tag."""
    return {
        "places": [2.0 * (k // 2) for k in range(12)],
        "each": lambda k: {tag: values[k % 2]},
    }


@pytest.mark.parametrize(
    ("tag", "values", "text"),
    [
        ("EchoTime", (12.0, 80.0), "echo time 80 ms"),
        ("InversionTime", (200.0, 900.0), "inversion time 900"),
        ("DiffusionBValue", (0.0, 1000.0), "b-value 1000"),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), "image type P"),
        ("AcquisitionNumber", (1, 2), "acquisition 2"),
    ],
)
def test_two_volumes_in_one_series_are_told_apart(tmp_path, tag, values, text):
    mr(tmp_path / "a", ramp(12), **twice(tag, values))
    with pytest.raises(CourseError) as refused:
        read(tmp_path)
    assert text in str(refused.value) and "missing" not in str(refused.value)
    (volume,) = read(tmp_path, series=text).volumes
    assert np.array_equal(volume.image, ramp(12)[1::2])
    assert volume.spacing_mm[0] == 2.0


def test_one_place_over_time_is_no_volume(tmp_path):
    mr(tmp_path / "a", ramp(9), places=[42.0] * 9, each=lambda k: {"TriggerTime": 30.0 * k})
    with pytest.raises(CourseError, match=r"9 images lie at one place.*trigger time.*time series"):
        read(tmp_path)


def test_directions_of_diffusion_and_times_without_a_number_are_named(tmp_path):
    mr(tmp_path / "a", ramp(12), **twice("AcquisitionTime", ("100000", "100007")))
    with pytest.raises(CourseError, match="time of acquisition"):
        read(tmp_path)
    mr(tmp_path / "b", ramp(12), **twice("DiffusionBValue", (800.0, 800.0)))
    with pytest.raises(CourseError, match="differ in nothing that its header says"):
        read(tmp_path)


def test_copies_of_the_same_images_are_one_series(tmp_path):
    series(tmp_path / "a" / "ct", ramp())
    (tmp_path / "a" / "copy").mkdir()
    for file in (tmp_path / "a" / "ct").iterdir():
        (tmp_path / "a" / "copy" / file.name).write_bytes(file.read_bytes())
    assert read(tmp_path).volumes[0].image.shape == (6, 8, 7)


def test_slices_of_two_sizes_or_directions_are_not_stacked(tmp_path):
    mr(tmp_path / "a", ramp(), SeriesInstanceUID="1.5", SeriesDescription="T1")
    mr(tmp_path / "a", ramp(4), SeriesInstanceUID="1.5", SeriesDescription="T1",
       ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
       each=lambda k: {"ImagePositionPatient": [3 * k, 0, 0]})  # fmt: skip
    mr(tmp_path / "a", ramp(1, 9, 9), SeriesInstanceUID="1.5", SeriesDescription="T1")
    with pytest.raises(CourseError) as refused:
        read(tmp_path)
    for word in ("6 of 8 x 7, 2 mm apart, axial", "4 of 8 x 7, 3 mm apart, sagittal"):
        assert word in str(refused.value)
    found = read(tmp_path, series="sagittal")
    assert found.volumes[0].spacing_mm == (1.0, 1.0, 3.0)
    assert ("a single slice") in [left.why for left in found.left_out]


# ---- where the slices lie


def tilted(degrees, step=5.0, pixel=2.0, side=64, slices=24):
    """A ball of 40 mm radius in the world, cut by planes that are tilted about x; the table moves
    along z. Returns volume, tags of slice k, and the ball's middle."""
    angle = np.deg2rad(degrees)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(angle), -np.sin(angle)])
    corner = np.array([-63.0, -63.0, 0.0])
    middle = corner + 63 * (row + column) + [0, 0, step * slices / 2]
    v, u = np.mgrid[:side, :side]
    planes = []
    for k in range(slices):
        place = corner + step * k * UP
        world = place + u[..., None] * pixel * row + v[..., None] * pixel * column
        planes.append(np.where(((world - middle) ** 2).sum(-1) < 40**2, 40, -1000))

    def tags(k):
        place = corner + step * k * UP
        return {
            "ImagePositionPatient": [round(float(c), 3) for c in place],
            "ImageOrientationPatient": [round(float(c), 6) for c in (*row, *column)],
            "PixelSpacing": [pixel, pixel],
        }

    return np.stack(planes), tags, middle, np.stack([np.cross(row, column), column, row])


@pytest.mark.parametrize("degrees", [20.0, -16.5])
def test_a_ball_behind_a_tilted_gantry_comes_back_round_and_in_place(tmp_path, degrees):
    planes, tags, middle, directions = tilted(degrees)
    series(tmp_path / "a", planes, each=tags)
    found = read(tmp_path)
    (volume,) = found.volumes
    along = 5.0 * np.cos(np.deg2rad(degrees))
    assert volume.spacing_mm == pytest.approx((along, 2.0, 2.0), abs=1e-3)
    where = np.argwhere(volume.image > -480) * volume.spacing_mm
    # Round: as wide in all directions, and its middle stays in place from slice to slice.
    assert np.ptp(where, axis=0) == pytest.approx([80, 80, 80], abs=5.1)
    cuts = [where[where[:, 0] == z] for z in np.unique(where[:, 0])]
    planes_of = [cut.mean(0)[1:] for cut in cuts if len(cut) > 200]
    assert np.ptp(planes_of, axis=0).max() < 2.1  # a pixel; 27 mm where the tilt is ignored
    # In place: its middle is where the world has it, along the directions of the slices.
    first = np.array(volume.origin_mm[::-1])
    assert where.mean(0) == pytest.approx(directions @ (middle - first), abs=1.5)
    assert f"{abs(degrees):.1f} degrees" in " ".join(found.notes)
    assert volume.image[:, -1].max() <= 0 and volume.image.min() == -1024  # margins are air


def test_tilted_images_that_move_along_their_normal_are_left_as_they_are(tmp_path):
    """An oblique MR stack has tilted directions too, but is right-angled."""
    angle = np.deg2rad(20)
    column = np.array([0, np.cos(angle), -np.sin(angle)])
    normal = np.cross([1, 0, 0], column)
    mr(tmp_path / "a", ramp(), ImageOrientationPatient=[1, 0, 0, *column.round(6)],
       each=lambda k: {"ImagePositionPatient": (3 * k * normal).round(5).tolist()})  # fmt: skip
    found = read(tmp_path)
    assert np.array_equal(found.volumes[0].image, ramp())
    assert found.volumes[0].spacing_mm[0] == pytest.approx(3.0, abs=1e-4)
    assert "tilt" not in " ".join(found.notes)


def test_slices_that_jump_sideways_are_refused(tmp_path):
    series(tmp_path / "a", ramp(), each=lambda k: {"ImagePositionPatient": [9.0 * (k % 2), 0, k]})
    with pytest.raises(CourseError, match="not along one line"):
        read(tmp_path)


@pytest.mark.parametrize("between", [4.2, 5.8, 7.4])
def test_thin_slices_below_and_thick_above_are_brought_to_the_finer_step(tmp_path, between):
    steps = [4.2] * 6 + [between] + [7.4] * 5
    places = np.concatenate([[0.0], np.cumsum(steps)])
    volume = np.ones((len(places), 5, 6)) * (10 * places - 400)[:, None, None]  # a slope along z
    series(tmp_path / "a", volume, places=[round(float(z), 3) for z in places])
    found = read(tmp_path)
    image = found.volumes[0].image
    assert found.volumes[0].spacing_mm[0] == pytest.approx(4.2)
    assert image[:, 0, 0] == pytest.approx(42 * np.arange(len(image)) - 400, abs=1)
    assert len(image) == int(places[-1] / 4.2) + 1
    assert "4.2, 7.4 mm" in " ".join(found.notes)


@pytest.mark.parametrize("gone", [1, 3, 6])
def test_a_missing_slice_is_not_made_up(tmp_path, gone):
    places = [2.5 * k for k in range(9) if k != gone]
    series(tmp_path / "a", ramp(8), places=places)
    with pytest.raises(CourseError, match=rf"2\.50 mm apart, but 5\.00 mm after slice {gone} of 8"):
        read(tmp_path)


def test_a_slice_that_is_missing_between_thin_and_thick_is_noticed(tmp_path):
    steps = [2.0] * 5 + [9.0] + [5.0] * 5
    series(tmp_path / "a", ramp(12), places=np.concatenate([[0.0], np.cumsum(steps)]).tolist())
    with pytest.raises(CourseError, match=r"9\.00 mm after slice 6"):
        read(tmp_path)


def test_positions_with_one_decimal_are_even(tmp_path):
    series(tmp_path / "a", ramp(20), places=[round(0.625 * k, 1) for k in range(20)])
    assert read(tmp_path).volumes[0].spacing_mm[0] == pytest.approx(0.625, abs=0.01)


def test_every_bad_subject_is_named_at_once_and_left_out_on_request(tmp_path):
    for name in "abcdef":
        series(tmp_path / name, ramp())
    next((tmp_path / "b").glob("*_002")).unlink()
    for file in (tmp_path / "e").iterdir():
        head = pydicom.dcmread(file)
        head.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
        save(head, file)
    with pytest.raises(CourseError) as refused:
        read(tmp_path)
    for word in ("2 of 6 subjects", "b: ", "missing", "e: ", "geometry is damaged", "--skip"):
        assert word in str(refused.value)
    found = read(tmp_path, skip=True)
    assert [v.subject for v in found.volumes] == list("acdf")
    assert [left.name for left in found.left_out][:2] == ["b", "e"]


# ---- what the numbers mean


def test_ct_without_rescale_values_is_not_in_hu(tmp_path):
    for name in "abcd":
        series(tmp_path / name, ramp(start=0), RescaleSlope=None, RescaleIntercept=None)
    found = read(tmp_path)
    assert {v.unit for v in found.volumes} == {"a.u."}
    assert "--unit HU" in " ".join(found.notes)
    with pytest.raises(CourseError, match="said to be in HU, but its smallest value is 0"):
        read(tmp_path, unit="HU").volumes[0]
    dataset = f"path:{tmp_path}"
    with pytest.raises(CourseError, match="HU"):
        catalogue.question("denoising", dataset).make(dataset, "smoke", 0)
    for name in "xyz":
        series(
            tmp_path / "meant" / name, ramp(start=-1000), RescaleSlope=None, RescaleIntercept=None
        )
    (volume, *_) = read(tmp_path / "meant", unit="HU").volumes
    assert volume.unit == "HU" and volume.image.min() == -1000


def test_rescale_values_of_each_slice_and_padding(tmp_path):
    values = ramp()
    values[0, 0, 0] = -2000
    series(tmp_path / "a", values, PixelPaddingValue=-2000, RescaleIntercept=-100,
           each=lambda k: {"RescaleSlope": k + 1})  # fmt: skip
    image = read(tmp_path).volumes[0].image
    assert image[0, 0, 0] == -1024
    assert np.array_equal(image[2], 3 * ramp()[2] - 100)


@pytest.mark.parametrize("compressed", [False, True])
def test_monochrome1_is_turned_the_right_way_up(tmp_path, compressed):
    mr(tmp_path / "a", 1023 - ramp(start=0), PhotometricInterpretation="MONOCHROME1", BitsStored=10,
       HighBit=9, PixelRepresentation=0)  # fmt: skip
    if compressed:
        for file in (tmp_path / "a").iterdir():
            head = pydicom.dcmread(file)
            head.compress(RLELossless)
            save(head, file)
    assert np.array_equal(read(tmp_path).volumes[0].image, ramp(start=0))


def test_monochrome1_does_not_turn_hounsfield_units(tmp_path):
    series(tmp_path / "a", ramp(), PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read(tmp_path).volumes[0].image, ramp())


def test_lossless_jpeg_is_decoded_with_its_rescale_values(tmp_path):
    import SimpleITK

    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")  # GDCM's word for lossless JPEG
    (tmp_path / "a").mkdir()
    spoken = locale.setlocale(locale.LC_ALL)
    for k, plane in enumerate(ramp(start=-1000)):
        slice_ = SimpleITK.GetImageFromArray(plane[None].astype(np.int16))
        for tag, value in {
            "0008|0060": "CT",
            "0020|000e": "1.2.3",
            "0008|0018": f"1.2.3.{k + 1}",
            "0020|0032": f"0\\0\\{2 * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0028|1052": "-1000",
            "0028|1053": "1",
        }.items():
            slice_.SetMetaData(tag, value)
        writer.SetFileName(str(tmp_path / "a" / f"{k}.dcm"))
        writer.Execute(slice_)
    locale.setlocale(locale.LC_ALL, spoken)  # GDCM's writer leaves C behind
    syntax = pydicom.dcmread(tmp_path / "a" / "0.dcm").file_meta.TransferSyntaxUID
    assert "JPEG Lossless" in syntax.name
    assert np.array_equal(read(tmp_path).volumes[0].image, ramp(start=-1000))


@pytest.mark.parametrize("turn", ["LPS", "RAS", "sagittal"])
def test_orientation_is_that_of_simpleitk(tmp_path, turn):
    """Against SimpleITK's own reader and its turn to LPS."""
    import SimpleITK

    lying = {
        "LPS": (1, 0, 0, 0, 1, 0),
        "RAS": (-1, 0, 0, 0, -1, 0),
        "sagittal": (0, 1, 0, 0, 0, -1),
    }
    normal = np.cross(lying[turn][:3], lying[turn][3:])
    mr(tmp_path / "a", ramp(), ImageOrientationPatient=list(lying[turn]), PixelSpacing=[1.5, 0.5],
       each=lambda k: {"ImagePositionPatient": (np.array([5, 6, 7]) - 3 * k * normal).tolist()}
       )  # fmt: skip
    volume = read(tmp_path).volumes[0]
    files = sorted((str(file) for file in (tmp_path / "a").iterdir()), reverse=True)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    reference = SimpleITK.DICOMOrient(reader.Execute(), "LPS")
    assert np.array_equal(volume.image, SimpleITK.GetArrayFromImage(reference))
    assert volume.spacing_mm == pytest.approx(reference.GetSpacing()[::-1])
    assert volume.origin_mm == pytest.approx(reference.GetOrigin()[::-1])


# ---- forms of files


def test_a_file_of_many_frames_is_a_volume_with_the_geometry_of_each(tmp_path):
    for name in "abc":
        save(frames(ramp(), slopes=[1, 2, 3, 4, 5, 6], PatientID=name), tmp_path / f"{name}.dcm")
    volume = read(tmp_path).volumes[1]
    assert volume.subject == "b" and volume.spacing_mm == (2.0, 1.5, 0.5)
    assert np.array_equal(volume.image, ramp() * np.arange(1, 7)[:, None, None])


def test_frames_without_positions_are_named(tmp_path):
    save(image(ramp(), NumberOfFrames=6, Modality="MR"), tmp_path / "a.dcm")
    with pytest.raises(CourseError, match="several frames without positions"):
        read(tmp_path)


def test_files_without_preamble_and_beside_a_dicomdir_are_read(tmp_path):
    series(tmp_path / "a", ramp())
    for file in (tmp_path / "a").iterdir():
        head = pydicom.dcmread(file)
        file.unlink()
        pydicom.dcmwrite(file, head, implicit_vr=True, little_endian=True, force_encoding=True)
        file.write_bytes(file.read_bytes().partition(b"DICM")[2] or file.read_bytes())
    index = image(ramp(1)[0])
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    del index.SOPClassUID, index.Rows
    save(index, tmp_path / "DICOMDIR")
    (tmp_path / "a" / "notes.txt").write_bytes(b"\x08\x00nothing of the kind")
    (tmp_path / "a" / "._IM1").write_bytes(b"\0\5\x16\7")
    assert np.array_equal(read(tmp_path).volumes[0].image, ramp())


def test_files_that_only_look_like_dicom_are_listed(tmp_path):
    """The last slice would be missing without a word."""
    series(tmp_path / "a", ramp())
    (tmp_path / "a" / "z.dcm").write_bytes(b"")
    (tmp_path / "a" / "y.dcm").write_text("hello")
    for k in range(5):
        (tmp_path / "a" / f"{k}.xml").write_text("<a/>")
    left = {one.name: one.why for one in read(tmp_path).left_out}
    assert left == {"a/z.dcm": "is empty", "a/y.dcm": "no DICOM", "5 files *.xml": "no DICOM"}


def test_a_file_that_is_cut_off_is_named(tmp_path):
    series(tmp_path / "a", ramp(6, 40, 40))
    file = sorted((tmp_path / "a").iterdir())[2]
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(CourseError, match="missing"):
        read(tmp_path)
    for other in (tmp_path / "a").iterdir():
        other.write_bytes(other.read_bytes()[:600])
    with pytest.raises(CourseError, match="no pixels"):
        read(tmp_path)


def test_only_headers_are_read_to_choose(tmp_path, monkeypatch):
    series(tmp_path / "a", ramp())
    files = list((tmp_path / "a").iterdir())
    found, broken = dicom_headers.planes(tmp_path, files)
    assert len(found) == 6 and not broken
    assert found[0].modality == "CT" and found[0].sop_class == CT


def test_pixels_that_cannot_be_decoded_are_named_and_left_out_on_request(tmp_path):
    for name in "abcd":
        series(tmp_path / name, ramp(6, 40, 40))
    for folder in "bd":
        for file in (tmp_path / folder).iterdir():
            head = pydicom.dcmread(file)
            head.compress(RLELossless)
            save(head, file)
        file = sorted((tmp_path / folder).iterdir())[3]
        file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(CourseError, match=r"2 of 4 cases.*b: .*cannot be decoded.*d: .*--skip"):
        read(tmp_path).volumes[1]
    found = read(tmp_path, skip=True)
    assert [v.subject for v in found.volumes] == ["a", "c"]
    assert [left.name for left in found.left_out] == ["b", "d"]


def test_ct_whose_rescale_values_do_nothing_is_not_in_hu(tmp_path):
    for name in "abc":
        series(tmp_path / name, ramp(start=0), RescaleSlope=1, RescaleIntercept=0)
    with pytest.raises(CourseError, match=r"3 of 3 cases.*said to be in HU.*--unit a\.u\."):
        read(tmp_path).volumes[0]
    assert read(tmp_path, unit="a.u.").volumes[0].image.min() == 0


# ---- pictures


def test_x_rays_are_pictures_of_patients(tmp_path):
    draw = np.random.default_rng(0)
    for patient in "abc":
        for view in ("PA", "LL"):
            picture = draw.integers(0, 4000, (9, 11))
            picture[0, 0], picture[0, 1] = 0, 4095
            inverted = "MONOCHROME1" if view == "LL" else "MONOCHROME2"
            save(image(picture, SOPClassUID=DX, Modality="DX", PatientID=patient, ViewPosition=view,
                       SeriesInstanceUID=f"1.{ord(patient)}.{ord(view[0])}",
                       PhotometricInterpretation=inverted, SeriesDescription=view),
                 tmp_path / f"{patient}_{view}.dcm")  # fmt: skip
    found = read(tmp_path)
    assert isinstance(found, own.Pictures)
    assert sorted(found.subjects) == list("aabbcc") and "a_PA" in found.names
    pairs = dict(zip(found.names, found.images, strict=True))
    assert (pairs["a_PA"][0, 0], pairs["a_PA"][0, 1]) == (0, 1)
    assert (pairs["a_LL"][0, 0], pairs["a_LL"][0, 1]) == (1, 0)
    assert sorted(read(tmp_path, series="PA").names) == ["a_PA", "b_PA", "c_PA"]
    save(image(np.zeros((9, 11)), SOPClassUID=DX, Modality="DX", PatientID="d"), tmp_path / "d.dcm")
    with pytest.raises(CourseError, match=r"d\.dcm shows nothing.*--skip"):
        read(tmp_path)
    assert len(read(tmp_path, skip=True).images) == 6
