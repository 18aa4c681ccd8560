"""One MR slice each of six people's brains: data set `brain_slices`."""

import numpy as np

from course_lib.data import fetch

SUBJECTS = ("r16", "r27", "r30", "r62", "r64", "r85")


def load() -> dict[str, np.ndarray]:
    """Subject → float32 (256, 256), 0 to 255, a T1-weighted axial slice; rows go back, columns
    left. Measured pixels of six people, for registration between people. There are no labels and no
    size of a pixel. Optional: `course data fetch brain_slices`."""
    from skimage.io import imread

    return {
        subject: imread(fetch.path("brain_slices", f"{subject}slice.jpg")).astype(np.float32)
        for subject in SUBJECTS
    }
