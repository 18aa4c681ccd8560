"""Reconstruction of the user's own CT: each patient scanned with 30 views, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.tasks.base import Splits
from course_lib.tasks.own_ct import own_splits
from course_lib.tasks.reconstruction_ct import few_views
from course_lib.tasks.reconstruction_ct.few_views import ACQUISITIONS, SIZES, scanned, windowed


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Scans the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The same scan of the user's CT volumes (`Scans` in HU)."""
    size = SIZES[profile]
    how = size, ACQUISITIONS["30_views"], seed

    def one(volume: Volume, slices: list[int], group: str) -> Cases:
        copies = size.copies if group == "training" else 1
        return scanned(volume, slices, group, volume.case, *how, copies, chest=False)

    counts = size.every, size.validation_slices, size.test_slices
    return windowed(own_splits(data, "reconstruction_ct", counts, size.pixels, one))


QUESTION = replace(
    few_views.QUESTION, id="own", title="Your own CT", sources={PATH: ()}, make=make, kinds=()
)
