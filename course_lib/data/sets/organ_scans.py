"""CT of three patients and MR of one, organs marked by a model: data set `organ_scans`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.sets import oriented
from course_lib.data.volume import HU_RANGE, Volume, nifti


def load() -> list[Volume]:
    """CT of three patients in HU: abdomen (native, 3 mm), thorax (with contrast, 1.5 mm), upper
    abdomen (with contrast, 2 x 0.977 x 0.977 mm). Optional: `course data fetch organ_scans`.

    Label 'organs' (uint8) of the first and the last, numbered as `chest_ct.organ_names` says;
    label 'heart' of the second. All labels are answers of TotalSegmentator and no truth: agreement
    with them is agreement with that model. HU are clipped to [-1024, 3071].
    """
    folder = fetch.path("organ_scans")
    slices = sorted((folder / "example_ct_dicom").glob("CT.*"))
    read = {
        "abdomen": (nifti(folder / "example_ct.nii.gz", np.float32), "organs", "fast_force_split"),
        "thorax": (nifti(folder / "aorta_report/example_ct.nii.gz", np.float32), "heart", ""),
        "upper_abdomen": (oriented.read(slices, np.float32), "organs", "dicom"),
    }
    volumes = []
    for name, ((image, spacing, origin), what, answer) in read.items():
        file = f"example_seg_{answer}.nii.gz" if answer else "pulmonary_report/models/heart.nii.gz"
        labels, _, _ = nifti(folder / file, np.uint8)
        np.clip(image, *HU_RANGE, out=image)
        subject = f"organ_scans-{name}"
        volumes.append(Volume(image, spacing, subject, "HU", origin, {what: labels}))
    return volumes


def magnetic_resonance() -> Volume:
    """MR of the abdomen of one patient, 20 slices at 3 mm; label 'organs' (uint8), an answer of
    TotalSegmentator in its own numbers for MR."""
    folder = fetch.path("organ_scans")
    image, spacing, origin = nifti(folder / "example_mr_sm.nii.gz", np.float32)
    labels, _, _ = nifti(folder / "example_seg_mr.nii.gz", np.uint8)
    return Volume(image, spacing, "organ_scans-mr", "a.u.", origin, {"organs": labels})
