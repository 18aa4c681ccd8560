"""MR reconstruction of the user's own volumes: magnitudes that get a phase, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases, join
from course_lib.data import own
from course_lib.data.own.heads import heads
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Splits
from course_lib.tasks.reconstruction_mr import few_samples
from course_lib.tasks.reconstruction_mr.scans import SIZES, Scan, volume_cases

GROUPS = {"train": "training", "validation": "validation", "test": "other subjects"}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Samples the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's MR volumes (`Scans`, magnitudes), in the given split or else split by subject,
    sampled as `cartesian_x4` with a simulated phase.

    Raises CourseError for CT, whose pictures do not come from k-space, and for volumes of nothing.
    """
    data = own.expect(data, own.Scans, "reconstruction_mr")
    known = heads(data)
    if ct := [head.case for head in known if head.unit == "HU"]:
        raise CourseError(
            f"reconstruction_mr needs MR magnitudes, but {listed(ct)} in {data.source} hold HU "
            "(CT). If they are MR: --unit a.u."
        )
    size, scan, below = SIZES[profile], Scan("cartesian", 4.0, SIZES[profile], seed), []
    each = {"train": size.training, "validation": size.validation, "test": size.test}
    total = {"train": size.training, "validation": 2 * size.validation, "test": 8 * size.test}
    use = own_use.shares(data, each, total, "slices")

    def part(word: str) -> Cases:
        found = []
        for volume in use.volumes(word):
            if volume.image.max() <= 0:
                raise CourseError(f"{volume.case} in {data.source} holds no value above 0.")
            below.extend([volume.case] if volume.image.min() < 0 else [])
            found.append(volume_cases(volume, use.each[word], GROUPS[word], scan))
        return join(found)

    parts = {word: part(word) for word in GROUPS}
    pixel_mm = float(parts["train"].spacing_mm.median())
    notes = [*data.told(), use.said, own_use.pixels(known, pixel_mm, f"{size.pixels} a side")]
    if below:
        notes.append(f"Magnitudes are not negative; values below 0 count as 0: {listed(below)}.")
    return Splits(**parts, notes=tuple(notes))


QUESTION = replace(
    few_samples.QUESTION, id="own", title="Your own MR", sources={PATH: ()}, make=make
)
