"""Label maps of six brains: data set `brain_donors`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import Volume, nifti

DONORS = ("9861", "10021", "12876", "14380", "15496", "15697")


def load() -> list[Volume]:
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
