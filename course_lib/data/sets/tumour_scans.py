"""Whole chest CT and brain MR of four patients with a tumour: data set `tumour_scans`."""

import numpy as np

from course_lib.data import fetch
from course_lib.data.sets import oriented
from course_lib.data.volume import HU_RANGE, Volume


def load() -> list[Volume]:
    """Chest CT of two patients in HU, whole slices 5 mm apart; label 'gtv' (uint8), the tumour.

    Optional: `course data fetch tumour_scans`.
    """
    return [_volume(f"lung{k}", "HU") for k in (1, 2)]


def brains() -> list[Volume]:
    """T1-weighted MR with contrast agent of two patients, slices 6.5 mm apart; label 'gtv'."""
    return [_volume(f"brain{k}", "a.u.") for k in (1, 2)]


def _volume(name: str, unit: str) -> Volume:
    image, spacing, origin = oriented.read(
        fetch.path("tumour_scans", f"{name}_image.nrrd"), np.float32
    )
    tumour, _, _ = oriented.read(fetch.path("tumour_scans", f"{name}_label.nrrd"), np.uint8)
    if unit == "HU":
        np.clip(image, *HU_RANGE, out=image)
    return Volume(image, spacing, f"tumour_scans-{name}", unit, origin, {"gtv": tumour})
