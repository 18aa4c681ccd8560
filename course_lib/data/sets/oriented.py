"""Images that SimpleITK reads (NRRD, DICOM series), turned to the order of `data.volume`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from course_lib.data.volume import floats


def read(files: Path | Sequence[Path], kind: type) -> tuple[np.ndarray, tuple, tuple]:
    """Array (z, y, x) in LPS order, spacing and origin (z, y, x) in LPS millimetres, as of
    `volume.nifti`. Several files are the slices of one DICOM series, in any order."""
    import SimpleITK

    if isinstance(files, Path):
        image = SimpleITK.ReadImage(str(files))
    else:
        headers = {str(file): SimpleITK.ImageFileReader() for file in files}
        for name, header in headers.items():
            header.SetFileName(name)
            header.ReadImageInformation()
        heights = {name: header.GetOrigin()[2] for name, header in headers.items()}
        image = SimpleITK.ReadImage(sorted(heights, key=heights.__getitem__))
    turned = SimpleITK.DICOMOrient(image, "LPS")
    array: np.ndarray = np.ascontiguousarray(SimpleITK.GetArrayFromImage(turned), dtype=kind)
    return array, floats(*turned.GetSpacing()[::-1]), floats(*turned.GetOrigin()[::-1])
