"""T1 and T2 of an average hippocampus: data set `hippocampus_t1t2`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import Volume, nifti


def load() -> list[Volume]:
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
