"""Denoising of the user's own CT: both scans of each patient, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.denoising import low_dose
from course_lib.tasks.denoising.low_dose import SIZES, scan
from course_lib.tasks.own_ct import own_splits


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The same scans of the user's CT volumes (`Scans` in HU)."""
    size = SIZES[profile]

    def scanned(volume: Volume, slices: list[int], group: str) -> Cases:
        return scan(volume, slices, size, group, (seed, volume.case), chest=False)

    counts = size.every, size.validation_slices, size.test_slices
    return own_splits(data, "denoising", counts, size.pixels, scanned)


QUESTION = replace(low_dose.QUESTION, id="own", title="Your own CT", sources={PATH: ()}, make=make)
