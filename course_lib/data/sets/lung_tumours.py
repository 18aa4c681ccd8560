"""Cropped CT of four patients with a lung tumour: data set `lung_tumours`."""

from pathlib import Path

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import HU_RANGE, Volume, fill_polygon, floats


def load() -> list[Volume]:
    """Cropped CT of four lung-tumour patients in HU at 3 x 0.977 x 0.977 mm; label 'gtv' (uint8).

    'gtv' is the gross tumour volume inside an expert's contours: a voxel belongs to it if its
    centre lies within. Licence CC BY-NC 3.0: not for commercial use. doi:10.17195/candat.2016.08.1
    """
    folder = fetch.path("lung_tumours")
    return [_dicom(folder / f"pat_{k}", f"lung_tumours-{k}") for k in (1, 2, 3, 4)]


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
        floats(slice_mm, row_mm, column_mm),
        subject,
        "HU",
        floats(z, y, x),
        {"gtv": gtv.astype(np.uint8)},
    )
