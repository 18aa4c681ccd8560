"""The real volumes: right numbers, right way round. They need `course data fetch`."""

import csv

import numpy as np
import pytest
from scipy import ndimage

from course_lib.data import fetch
from course_lib.data.sets import (
    brain_donors,
    brain_mni,
    chest_ct,
    hippocampus,
    lung_tumours,
    nuclei,
)
from course_lib.data.volume import fill_polygon
from course_lib.parts import pretrained


@pytest.fixture(scope="module")
def chest():
    return chest_ct.load()


def centre(labels: np.ndarray, number: int) -> np.ndarray:
    """Mean (z, y, x) of a label."""
    return np.array(ndimage.center_of_mass(labels == number))


def test_chest_ct(chest):
    assert chest.image.shape == (133, 512, 512) and chest.image.dtype == np.float32
    assert chest.spacing_mm == (2.5, 0.703125, 0.703125)
    assert (chest.image.min(), chest.image.max()) == (-1024, 3071)
    organs = chest.labels["organs"]
    assert len(np.unique(organs)) - 1 == 89
    number = {name: k for k, name in chest_ct.organ_names().items()}
    lung = chest.image[organs == number["lung_upper_lobe_left"]].mean()
    assert lung < -700
    assert 0 < chest.image[organs == number["liver"]].mean() < 200


def test_chest_ct_lies_in_lps(chest):
    organs = chest.labels["organs"][:, ::4, ::4]
    number = {name: k for k, name in chest_ct.organ_names().items()}
    heart, liver = centre(organs, number["heart"]), centre(organs, number["liver"])
    spine, trachea = centre(organs, number["vertebrae_T9"]), centre(organs, number["trachea"])
    left = centre(organs, number["lung_upper_lobe_left"])
    right = centre(organs, number["lung_upper_lobe_right"])
    assert heart[1] < spine[1], "rows must go to the back"
    assert right[2] < heart[2] < left[2], "columns must go to the left"
    assert liver[2] < spine[2], "the liver is on the right"
    assert liver[0] < heart[0] < trachea[0], "slices must go up"


def test_lung_tumours():
    patients = lung_tumours.load()
    assert [patient.subject for patient in patients] == [f"lung_tumours-{k}" for k in range(1, 5)]
    assert [patient.image.shape for patient in patients] == [
        (60, 201, 204),
        (41, 138, 141),
        (46, 137, 136),
        (56, 172, 178),
    ]
    millilitres = []
    for patient in patients:
        assert np.allclose(patient.spacing_mm, (3, 0.977, 0.977), atol=1e-3)
        assert patient.image.min() == -1000
        tumour = patient.labels["gtv"] > 0
        millilitres.append(tumour.sum() * np.prod(patient.spacing_mm) / 1000)
        around = ndimage.binary_dilation(tumour, iterations=4)
        around &= ~ndimage.binary_dilation(tumour, iterations=2)
        inside, outside = patient.image[tumour].mean(), patient.image[around].mean()
        assert -300 < inside < 100, "a tumour is soft tissue, with some lung at its rim"
        assert inside > outside + 150, "around it there is lung"
    assert np.allclose(millilitres, [358.7, 6.5, 11.6, 123.4], atol=0.2)


def test_brain_mni():
    brain = brain_mni.load()
    assert brain.image.shape == (189, 233, 197) and brain.spacing_mm == (1, 1, 1)
    assert brain.origin_mm == (-72, -98, -98)
    grey, white = brain.labels["gm"], brain.labels["wm"]
    assert min(grey.min(), white.min()) >= 0 and max(grey.max(), white.max()) <= 1
    assert brain.image[white > 0.9].mean() > brain.image[grey > 0.9].mean(), "it is T1-weighted"
    # The anterior commissure is the origin of MNI space, below the middle of the brain.
    z, y, x = (round(-origin) for origin in brain.origin_mm)
    assert brain.image[z, y, x] > 0
    assert not brain.image[-1].any(), "above the head there is air, below there is neck"
    assert brain.image[0].any()


def test_brain_donors_lie_in_lps():
    with open(fetch.path("brain_donors", "atlas-desikankilliany.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    number = {(row["label"], row["hemisphere"]): int(row["id"]) for row in rows}
    donors = brain_donors.load()
    assert len({donor.subject for donor in donors}) == 6
    for donor in donors:
        labels = donor.labels["desikan_killiany"]
        assert labels.dtype == np.int16 and set(np.unique(labels)) == set(range(83))
        small = labels[::2, ::2, ::2]
        left, right = (centre(small, number["precentral", side]) for side in "LR")
        front, back = (centre(small, number[name, "L"]) for name in ("frontalpole", "cuneus"))
        low = centre(small, number["inferiortemporal", "L"])
        assert right[2] < left[2] and front[1] < back[1] and low[0] < left[0]


@pytest.mark.skipif(not fetch.is_fetched("nuclei"), reason="optional: nothing uses it yet")
def test_nuclei():
    image, instances = nuclei.load()
    assert image.shape == instances.shape == (512, 512)
    assert len(np.unique(instances)) - 1 == 125
    assert image[instances > 0].mean() > 2 * image[instances == 0].mean()


def test_imagenet_weights_load_without_pickle():
    import torch

    weights = torch.load(pretrained.imagenet_weights(), weights_only=True)
    assert weights["_fc.weight"].shape == (1000, 1280)


def test_optional_hippocampus(tmp_path, monkeypatch):
    """A T1/T2 pair made here in its format: the real one is optional and large."""
    import nibabel

    folder = tmp_path / "data/hippocampus_t1t2"
    folder.mkdir(parents=True)
    stored = np.arange(24, dtype=np.float32).reshape(2, 3, 4)  # x to the left, y to the front
    affine = np.diag([-0.3, 0.3, 0.3, 1])
    for side in "LR":
        for contrast, sign in (("T1w", 1), ("T2w", -1)):
            name = f"{contrast}_300umCoronalOblique_hemi-{side}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(sign * stored, affine), folder / name)
    monkeypatch.setattr(hippocampus.fetch, "path", lambda _, name: folder / name)
    left, right = hippocampus.load()
    assert (left.subject, right.subject) == ("CITI168-L", "CITI168-R")
    assert np.array_equal(left.image, stored.transpose(2, 1, 0)[:, ::-1])
    assert np.array_equal(left.labels["t2w"], -left.image)
    assert np.allclose(left.origin_mm, (0, -0.6, 0)) and np.allclose(left.spacing_mm, 0.3)


def test_polygon_takes_the_pixels_whose_centres_lie_inside():
    corners = np.array([(0.5, 0.5), (0.5, 3.5), (2.5, 3.5), (2.5, 0.5)])
    filled = fill_polygon((5, 5), corners)
    assert filled.sum() == 6 and filled[1:3, 1:4].all()
