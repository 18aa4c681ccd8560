"""Chest CT of one patient, with organ labels: data set `chest_ct`."""

import csv

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import HU_RANGE, Volume, nifti


def load() -> Volume:
    """Chest CT (133, 512, 512) in HU at 2.5 x 0.703 x 0.703 mm; label 'organs' (uint8).

    The scan is LIDC-IDRI-0001 (doi:10.1118/1.3528204). HU are clipped to [-1024, 3071], because
    outside the scanner's circle the file holds -2048, which is no attenuation. Organ numbers are
    explained by `organ_names`; they were probably drawn by a model (TotalSegmentator), not by hand.
    """
    image, spacing, origin = nifti(fetch.path("chest_ct", "cxr.nii.gz"), np.float32)
    organs, _, _ = nifti(fetch.path("chest_ct", "mask.nii.gz"), np.uint8)
    np.clip(image, *HU_RANGE, out=image)
    return Volume(image, spacing, "LIDC-IDRI-0001", "HU", origin, {"organs": organs})


def organ_names() -> dict[int, str]:
    """Number → name for the label 'organs' of `load`, e.g. 51 → 'heart'."""
    with open(fetch.path("chest_ct", "structures.csv"), newline="", encoding="utf-8") as file:
        return {int(row["id"]): row["structure"] for row in csv.DictReader(file)}
