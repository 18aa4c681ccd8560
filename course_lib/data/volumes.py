"""The real volumes of the course, all in one orientation: rows go back, columns go left, slices up.

An array is indexed (z, y, x) and its axes point to the patient's head (superior), back (posterior)
and left: DICOM's LPS axes in reverse order. `image[k]` drawn with row 0 on top is the usual
radiological display: front of the body on top, the patient's right on the left of the picture.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from course_lib.data import fetch

HU_RANGE = (-1024, 3071)  # what 12 bits of a scanner hold; below lies only padding
DONORS = ("9861", "10021", "12876", "14380", "15496", "15697")


@dataclass(frozen=True)
class Volume:
    """One subject's image with its labels.

    image: float32 (z, y, x). spacing_mm, origin_mm: (z, y, x) distance between voxel centres and
    position of voxel 0's centre in LPS millimetres. labels: name → array on the same grid. unit of
    the image: 'HU' or 'a.u.' (arbitrary units).
    """

    image: np.ndarray
    spacing_mm: tuple[float, float, float]
    subject: str
    unit: str
    origin_mm: tuple[float, float, float]
    labels: dict[str, np.ndarray] = field(default_factory=dict)


def chest_ct() -> Volume:
    """Chest CT (133, 512, 512) in HU at 2.5 x 0.703 x 0.703 mm; label 'organs' (uint8).

    The scan is LIDC-IDRI-0001 (doi:10.1118/1.3528204). HU are clipped to [-1024, 3071], because
    outside the scanner's circle the file holds -2048, which is no attenuation. Organ numbers are
    explained by `organ_names`; they were probably drawn by a model (TotalSegmentator), not by hand.
    """
    image, spacing, origin = nifti(fetch.path("chest_ct", "cxr.nii.gz"), np.float32)
    organs, _, _ = nifti(fetch.path("chest_ct", "mask.nii.gz"), np.uint8)
    np.clip(image, *HU_RANGE, out=image)
    return Volume(image, spacing, "LIDC-IDRI-0001", "HU", origin, {"organs": organs})


def organ_names() -> dict[int, str]:
    """Number → name for the label 'organs' of `chest_ct`, e.g. 51 → 'heart'."""
    with open(fetch.path("chest_ct", "structures.csv"), newline="", encoding="utf-8") as file:
        return {int(row["id"]): row["structure"] for row in csv.DictReader(file)}


def lung_tumours() -> list[Volume]:
    """Cropped CT of four lung-tumour patients in HU at 3 x 0.977 x 0.977 mm; label 'gtv' (uint8).

    'gtv' is the gross tumour volume inside an expert's contours: a voxel belongs to it if its
    centre lies within. Licence CC BY-NC 3.0: not for commercial use. doi:10.17195/candat.2016.08.1
    """
    folder = fetch.path("lung_tumours")
    return [_dicom(folder / f"pat_{k}", f"lung_tumours-{k}") for k in (1, 2, 3, 4)]


def brain_mni() -> Volume:
    """Average T1 brain (189, 233, 197) at 1 mm in a.u.; labels 'gm', 'wm': probabilities, float32.

    MNI152, nonlinear, 2009a (doi:10.1016/j.neuroimage.2010.07.033). An average of many people: much
    smoother than any one brain.
    """

    def part(name: str) -> tuple:
        file = f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
        return nifti(fetch.path("brain_mni", file), np.float32)

    image, spacing, origin = part("t1")
    labels = {name: part(name)[0] / np.float32(255) for name in ("gm", "wm")}
    return Volume(image, spacing, "MNI152", "a.u.", origin, labels)


def brain_donors() -> list[Volume]:
    """Desikan-Killiany label maps of six donors at 1 mm; label 'desikan_killiany' (int16, 0 to 82).

    There is no MR image with them: `image` is the label map itself as float32. Each lies in its
    donor's own space and shape, so align before comparing (doi:10.1016/j.neuroimage.2019.01.011).
    """
    volumes = []
    for donor in DONORS:
        file = fetch.path("brain_donors", f"native_dk/{donor}/atlas-desikankilliany.nii.gz")
        labels, spacing, origin = nifti(file, np.int16)
        volumes.append(
            Volume(
                labels.astype(np.float32),
                spacing,
                f"donor-{donor}",
                "a.u.",
                origin,
                {"desikan_killiany": labels},
            )
        )
    return volumes


def hippocampus_t1t2() -> list[Volume]:
    """T1w around the left, then the right hippocampus, (128, 256, 128) at 0.3 mm; label 't2w'.

    CITI168, an average of 168 people; T1w and T2w lie on one grid (doi:10.1038/sdata.2018.63). Both
    hemispheres are of the same average, so they are one subject. Optional:
    `course data fetch hippocampus_t1t2`.
    """
    volumes = []
    for side in "LR":

        def part(contrast: str, side: str = side) -> tuple:
            name = f"{contrast}_300umCoronalOblique_hemi-{side}.nii.gz"
            return nifti(fetch.path("hippocampus_t1t2", name), np.float32)

        image, spacing, origin = part("T1w")
        volumes.append(
            Volume(image, spacing, f"CITI168-{side}", "a.u.", origin, {"t2w": part("T2w")[0]})
        )
    return volumes


def nuclei() -> tuple[np.ndarray, np.ndarray]:
    """A fluorescence image of nuclei, float32 (y, x), and its instances, int32 (y, x), 0 outside.

    From the 2018 Data Science Bowl (doi:10.1038/s41592-019-0612-7).
    """
    from skimage.io import imread

    image = imread(fetch.path("nuclei", "img2d.tif")).astype(np.float32)
    instances = imread(fetch.path("nuclei", "mask2d.tif")).astype(np.int32)
    return image, instances


def imagenet_weights() -> Path:
    """The file with EfficientNet-Lite0's ImageNet weights, for torch.load(weights_only=True)."""
    return fetch.path("imagenet_weights", "efficientnet-lite0-57934424.pth")


def fill_polygon(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """The pixels of a (rows, columns) grid whose centres lie inside a polygon, bool.

    corners: (k, 2) of (row, column), where whole numbers are pixel centres.
    """
    from skimage.draw import polygon2mask

    return polygon2mask(shape, corners)


def nifti(file: Path, kind: type) -> tuple[np.ndarray, tuple, tuple]:
    """Array (z, y, x) in LPS order, spacing and origin (z, y, x) in LPS millimetres. Of a file with
    several volumes, the first."""
    import nibabel
    from nibabel import orientations

    stored = nibabel.load(file)
    if stored.ndim == 4:
        stored = stored.slicer[..., 0]
    values = (
        stored.get_fdata(dtype=np.float32)  # never in float64: a chest CT would need 280 MB
        if kind is np.float32
        else np.asanyarray(stored.dataobj)
    )
    turn = orientations.ornt_transform(
        orientations.io_orientation(stored.affine), orientations.axcodes2ornt("LPS")
    )
    affine = stored.affine @ orientations.inv_ornt_aff(turn, stored.shape)
    array = orientations.apply_orientation(values, turn).transpose(2, 1, 0)
    right, anterior, superior = affine[:3, 3]  # NIfTI's axes are RAS
    spacing = np.linalg.norm(affine[:3, 2::-1], axis=0)
    return (
        np.ascontiguousarray(array, dtype=kind),
        _floats(*spacing),
        _floats(superior, -anterior, -right),
    )


def _dicom(folder: Path, subject: str) -> Volume:
    """A DICOM CT series with one RTSTRUCT in one folder."""
    import pydicom

    files = [pydicom.dcmread(file) for file in sorted(folder.glob("*.dcm"))]
    slices = [file for file in files if file.Modality == "CT"]
    (structures,) = (file for file in files if file.Modality == "RTSTRUCT")
    slices.sort(key=lambda file: file.ImagePositionPatient[2])

    image = np.stack([file.pixel_array for file in slices]).astype(np.float32)
    image = image * float(slices[0].RescaleSlope) + float(slices[0].RescaleIntercept)
    np.clip(image, *HU_RANGE, out=image)
    x, y, z = slices[0].ImagePositionPatient  # LPS already; the rows and columns are axial
    row_mm, column_mm = slices[0].PixelSpacing
    slice_mm = slices[1].ImagePositionPatient[2] - z

    gtv = np.zeros(image.shape, bool)
    for contour in structures.ROIContourSequence[0].ContourSequence:
        points = np.reshape(contour.ContourData, (-1, 3)).astype(float)  # (x, y, z) in mm
        corners = (points[:, 1::-1] - (float(y), float(x))) / (float(row_mm), float(column_mm))
        k = round((points[0, 2] - float(z)) / float(slice_mm))
        gtv[k] ^= fill_polygon(image.shape[1:], corners)  # a contour within a contour is a hole
    return Volume(
        image,
        _floats(slice_mm, row_mm, column_mm),
        subject,
        "HU",
        _floats(z, y, x),
        {"gtv": gtv.astype(np.uint8)},
    )


def _floats(*values: float) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
