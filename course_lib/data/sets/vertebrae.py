"""A piece of the spine of two people, CT and MR: data set `vertebrae`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import HU_RANGE, Volume, nifti


def load() -> list[Volume]:
    """CT in HU and T2-weighted MR of two people at 1.5 mm, cut out around three vertebrae or more.

    Labels, each with numbers of its own (uint8): 'vertebrae', one number for each; 'parts', bodies,
    arches and processes. Optional: `course data fetch vertebrae`.
    """
    volumes = []
    for folder, stem, kind, unit in (
        ("sample_ct", "ct", "label-22_ct", "HU"),
        ("sample_mri", "mri", "label-6_T2w", "a.u."),
    ):
        label = kind.partition("_")[0]
        place = fetch.path("vertebrae", folder)
        image, spacing, origin = nifti(place / f"sub-{stem}_{kind}.nii.gz", np.float32)
        labels = {
            name: nifti(place / f"sub-{stem}_seg-{seg}_{label}_msk.nii.gz", np.uint8)[0]
            for name, seg in (("vertebrae", "vert"), ("parts", "subreg"))
        }
        if unit == "HU":
            np.clip(image, *HU_RANGE, out=image)
        volumes.append(Volume(image, spacing, f"vertebrae-{stem}", unit, origin, labels))
    return volumes
