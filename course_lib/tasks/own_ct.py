"""Slices of the user's own CT volumes, for the questions that scan them."""

from collections.abc import Callable

from course_lib.cases import Cases, join
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Splits
from course_lib.tasks.ct_scans import FIELD_MM, OTHER_PATIENTS, middle, spread

TRAINING_SLICES = 240  # three times as many as the course's own training patient gives
TESTED, VALIDATED = 12, 4  # volumes whose slices are all used; of more, fewer slices of each
GROUPS = {"train": "training", "validation": "validation", "test": OTHER_PATIENTS}
Scanned = Callable[[Volume, list[int], str], Cases]


def own_splits(
    data: own.OwnData,
    task: str,
    counts: tuple[int, int, int],
    pixels: int,
    scanned: Scanned,
) -> Splits:
    """The user's CT, in the given split or else split by subject, each patient scanned.

    A test subject's slices are adjacent, the others' evenly spread. Scans of a smaller field than
    the scanner's lie in air, of a larger one are cut.

    Arguments:
        counts: training takes every so-many-th slice of a budget of 240; slices of each validation
            volume, and of each test volume.
        pixels: along a side of the scanner's field.
        scanned: (volume, slices, group) → cases.
    Raises CourseError for anything but CT in HU.
    """
    data = own.expect(data, own.Scans, task)
    known, (every, validation, test) = data.heads, counts
    if wrong := [head.case for head in known if head.unit != "HU"]:
        raise CourseError(
            f"{task} scans CT in HU, but nothing says that these in {data.source} are: "
            f"{listed(wrong)}. It is no CT, or its files do not tell the unit; if the values are "
            "HU, say --unit HU."
        )
    train = TRAINING_SLICES // every
    use = own_use.shares(
        data,
        {"train": train, "validation": validation, "test": test},
        {"train": train, "validation": VALIDATED * validation, "test": TESTED * test},
        "slices",
    )

    def part(word: str) -> Cases:
        found = []
        for volume in use.volumes(word):
            depth = len(volume.image)
            choose = middle if word == "test" else spread
            rows = choose(0, depth, min(use.each[word], depth))
            found.append(scanned(volume, rows, GROUPS[word]))
        return join(found)

    return Splits(
        **{word: part(word) for word in GROUPS},
        notes=(*data.told(), use.said, *_field(data, pixels)),
    )


def _field(data: own.Scans, pixels: int) -> tuple[str, ...]:
    """What the scanner's field does to the slices."""
    known = data.heads
    sides = [max(head.extent_mm[1:]) for head in known]
    wide = sum(side > FIELD_MM * 1.01 for side in sides)
    small = sum(min(head.extent_mm[1:]) < FIELD_MM * 0.99 for head in known)
    why = f"the scanner's field is {FIELD_MM:g} mm on {pixels} pixels"
    notes = [own_use.pixels(known, FIELD_MM / pixels, why)]
    if small:
        notes.append(f"{small} of {len(known)} volumes are smaller than it and lie in air.")
    if wide:
        notes.append(f"{wide} of {len(known)} volumes are larger than it and are cut.")
    return tuple(notes)
