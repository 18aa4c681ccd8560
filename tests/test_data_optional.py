"""The optional real data: right numbers, right way round. Each test needs `course data fetch NAME`
and is skipped without."""

import numpy as np
import pytest
from scipy import ndimage

from course_lib.data import fetch
from course_lib.data.sets import (
    brain_slices,
    chest_ct,
    colin27,
    nuclei,
    organ_scans,
    oriented,
    tumour_scans,
    vertebrae,
)


def needs(name):
    """Skips where the set is not fetched; `path` compares every file's hash."""
    if not fetch.is_fetched(name):
        pytest.skip(f"needs `course data fetch {name}`")
    fetch.path(name)


def centre(mask):
    """Mean (z, y, x) of a mask."""
    return np.array(ndimage.center_of_mass(mask))


def millilitres(volume, label):
    return (volume.labels[label] > 0).sum() * np.prod(volume.spacing_mm) / 1000


def test_an_image_is_turned_to_lps_and_a_series_is_sorted(tmp_path):
    """Rows that run to the front and slices in any order come out as all other volumes do."""
    import SimpleITK

    values = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.7, 3.0))
    image.SetOrigin((-10.0, 20.0, -30.0))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    SimpleITK.WriteImage(image, str(tmp_path / "one.nrrd"))
    array, spacing, origin = oriented.read(tmp_path / "one.nrrd", np.float32)
    assert np.array_equal(array, values[:, ::-1]) and array.dtype == np.float32
    assert spacing == (3.0, 0.7, 0.5) and origin == (-30.0, 20.0 - 3 * 0.7, -10.0)
    image.SetDirection(np.eye(3).ravel())
    names = [tmp_path / f"{k}.mha" for k in (7, 1, 4)]
    for k, name in enumerate(names):
        SimpleITK.WriteImage(image[:, :, k : k + 1], str(name))
    array, spacing, origin = oriented.read(sorted(names), np.int16)
    assert np.array_equal(array, values) and origin == (-30.0, 20.0, -10.0)


def test_organ_scans_lie_in_lps_and_organs_have_their_hu():
    needs("organ_scans")
    abdomen, thorax, upper = organ_scans.load()
    assert [v.image.shape for v in (abdomen, thorax, upper)] == [
        (112, 101, 122),
        (191, 167, 233),
        (20, 512, 512),
    ]
    assert abdomen.spacing_mm == (3, 3, 3) and thorax.spacing_mm == (1.5, 1.5, 1.5)
    assert np.allclose(upper.spacing_mm, (2, 0.9766, 0.9766), atol=1e-4)
    assert len({v.subject for v in (abdomen, thorax, upper)}) == 3
    number = {name: k for k, name in chest_ct.organ_names().items()}
    for volume, expected in (
        (abdomen, {"liver": 46, "spleen": 35, "urinary_bladder": 13}),
        (upper, {"liver": 93, "spleen": 80, "aorta": 151}),
    ):
        assert volume.unit == "HU" and volume.image.min() >= -1024 and volume.image.max() <= 3071
        organs = volume.labels["organs"]
        assert organs.shape == volume.image.shape
        for organ, hu in expected.items():
            found = np.median(volume.image[organs == number[organ]])
            assert found == pytest.approx(hu, abs=6), organ
        liver, spleen = (centre(organs == number[name]) for name in ("liver", "spleen"))
        assert liver[2] < spleen[2], "columns must go to the left"
    organs = abdomen.labels["organs"]
    bladder, first = (centre(organs == number[n]) for n in ("urinary_bladder", "vertebrae_L1"))
    assert bladder[0] < first[0] and bladder[1] < first[1], "slices go up, rows to the back"
    assert millilitres(thorax, "heart") == pytest.approx(669, abs=2)
    assert np.median(thorax.image[thorax.labels["heart"] > 0]) == pytest.approx(466, abs=5)
    scan = organ_scans.magnetic_resonance()
    assert scan.image.shape == (20, 91, 117) and len(np.unique(scan.labels["organs"])) == 24


def test_tumours_lie_where_their_contours_say():
    needs("tumour_scans")
    lungs, brains = tumour_scans.load(), tumour_scans.brains()
    assert [v.image.shape for v in lungs] == [(48, 512, 512), (61, 512, 512)]
    assert [v.image.shape for v in brains] == [(25, 256, 256), (23, 256, 256)]
    assert [v.spacing_mm[0] for v in (*lungs, *brains)] == [5, 5, 6.5, 6.5]
    sizes = [millilitres(v, "gtv") for v in (*lungs, *brains)]
    assert np.allclose(sizes, [1.36, 48.4, 16.4, 1.8], atol=0.06)
    for volume in lungs:
        tumour = volume.labels["gtv"] > 0
        ring = ndimage.binary_dilation(tumour, np.ones((1, 3, 3)), 6)
        ring &= ~ndimage.binary_dilation(tumour, np.ones((1, 3, 3)), 3)
        assert volume.image[tumour].mean() > volume.image[ring].mean() + 150, "lung is around it"
    right, left = (centre(v.labels["gtv"])[2] / v.image.shape[2] for v in lungs)
    assert right < 0.5 < left, "the first lies in the right lung, the second in the left"
    assert [volume.unit for volume in brains] == ["a.u."] * 2


def test_brain_slices_are_six_different_people():
    needs("brain_slices")
    slices = brain_slices.load()
    assert list(slices) == ["r16", "r27", "r30", "r62", "r64", "r85"]
    for image in slices.values():
        assert image.shape == (256, 256) and image.dtype == np.float32
        assert image.min() >= 0 and 250 < image.max() <= 255
    pairs = np.corrcoef([image.ravel() for image in slices.values()])
    assert pairs[~np.eye(6, dtype=bool)].max() < 0.99 < pairs.diagonal().min()


def test_colin27_and_its_regions_share_a_grid():
    needs("colin27")
    head = colin27.load()
    regions = head.labels["aal3"]
    assert head.image.shape == regions.shape == (181, 217, 181) and head.spacing_mm == (1, 1, 1)
    assert len(np.unique(regions)) - 1 == 163
    # AAL numbers the left of each pair odd: 1 and 2 are the precentral gyri, 95 on the cerebellum.
    left, right, cerebellum = (centre(regions == k) for k in (1, 2, 95))
    assert right[2] < left[2], "columns must go to the left"
    assert cerebellum[0] < left[0] and cerebellum[1] > left[1], "up, and to the back"
    assert head.image[regions > 0].mean() > 1.8 * head.image[regions == 0].mean()


def test_vertebrae_are_brighter_than_what_is_around_them():
    needs("vertebrae")
    scan, resonance = vertebrae.load()
    assert scan.image.shape == (47, 73, 73) and resonance.image.shape == (52, 68, 67)
    assert scan.spacing_mm == resonance.spacing_mm == (1.5, 1.5, 1.5)
    assert (scan.unit, resonance.unit) == ("HU", "a.u.")
    assert (
        len(np.unique(scan.labels["vertebrae"])) == 4 and len(np.unique(scan.labels["parts"])) == 11
    )
    bone = scan.labels["vertebrae"] > 0
    assert scan.image[bone].mean() > scan.image[~bone].mean() + 100
    bodies = centre(bone)[1]
    assert bodies > 20, "vertebral bodies lie before their arches, which end at the back"


def test_nuclei_in_three_dimensions_are_brighter_than_the_background():
    needs("nuclei_3d")
    image, instances = nuclei.stack()
    assert image.shape == instances.shape == (31, 61, 57)
    assert len(np.unique(instances)) - 1 == 51
    inside = instances > 0
    assert image[inside].mean() > image[~inside].mean() + 50
    for mirrored in (inside[::-1], inside[:, ::-1], inside[:, :, ::-1]):
        assert image[mirrored].mean() < image[inside].mean() - 20, "the map fits as it lies"
