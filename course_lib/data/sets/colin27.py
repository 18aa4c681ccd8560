"""The head of one man, scanned 27 times, with an atlas of regions: data set `colin27`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import Volume, nifti


def load() -> Volume:
    """T1-weighted MR of one head at 1 mm, the average of 27 scans; label 'aal3' (uint8), 163
    regions of the brain on the same grid. Optional: `course data fetch colin27`."""
    image, spacing, origin = nifti(fetch.path("colin27", "templates/ch2.nii.gz"), np.float32)
    regions, _, start = nifti(fetch.path("colin27", "atlases/aal3.nii.gz"), np.uint8)
    # Both lie in MNI space with voxels of 1 mm: what of the atlas lies in the image is put there.
    first = [round(a - b) for a, b in zip(start, origin, strict=True)]
    inside = regions[tuple(slice(max(0, -a), None) for a in first)]
    labels = np.zeros(image.shape, np.uint8)
    labels[
        tuple(slice(max(0, a), max(0, a) + n) for a, n in zip(first, inside.shape, strict=True))
    ] = inside
    return Volume(image, spacing, "colin27", "a.u.", origin, {"aal3": labels})
