"""Reconstruction of the user's own CT: each patient scanned with 30 views, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases, join
from course_lib.data import own
from course_lib.tasks import ct_scans
from course_lib.tasks.base import Splits
from course_lib.tasks.own_ct import own_slices
from course_lib.tasks.reconstruction_ct import few_views
from course_lib.tasks.reconstruction_ct.few_views import ACQUISITIONS, SIZES, scanned


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The same scan of the user's CT volumes (`Scans` in HU)."""
    size = SIZES[profile]
    chosen = own_slices(
        data, "reconstruction_ct", size.every, size.validation_slices, size.test_slices
    )
    how = (size, ACQUISITIONS["30_views"], seed)

    def part(name: str, group: str, copies: int = 1) -> Cases:
        scans = [scanned(v, rows, group, v.subject, *how, copies) for v, rows in chosen[name]]
        return join(scans)

    return Splits(
        train=part("train", "training", size.copies),
        validation=part("validation", "validation"),
        test=part("test", ct_scans.OTHER_PATIENTS),
    )


QUESTION = replace(
    few_views.QUESTION, id="own", title="Your own CT", sources={PATH: ()}, make=make, kinds=()
)
