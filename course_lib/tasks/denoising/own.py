"""Denoising of the user's own CT: both scans of each patient, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases, join
from course_lib.data import own
from course_lib.tasks import ct_scans
from course_lib.tasks.base import Splits
from course_lib.tasks.denoising import low_dose
from course_lib.tasks.denoising.low_dose import SIZES, scan
from course_lib.tasks.own_ct import own_slices


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The same scans of the user's CT volumes (`Scans` in HU), split by subject."""
    size = SIZES[profile]
    chosen = own_slices(data, "denoising", size.every, size.validation_slices, size.test_slices)

    def scanned(part: str, group: str) -> Cases:
        return join([scan(v, slices, size, group, (seed, v.subject)) for v, slices in chosen[part]])

    return Splits(
        train=scanned("train", "training"),
        validation=scanned("validation", "validation"),
        test=scanned("test", ct_scans.OTHER_PATIENTS),
    )


QUESTION = replace(low_dose.QUESTION, id="own", title="Your own CT", sources={PATH: ()}, make=make)
