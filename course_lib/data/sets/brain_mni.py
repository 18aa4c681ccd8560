"""An average brain, T1 and tissue probabilities: data set `brain_mni`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import Volume, nifti


def load() -> Volume:
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
