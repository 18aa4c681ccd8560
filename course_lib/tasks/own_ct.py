"""Slices of the user's own CT volumes, for the questions that scan them."""

from course_lib.cases import parts
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks.ct_scans import middle, spread

TRAINING_SLICES = 84  # as many as the course's own training patient gives


def own_slices(
    data: own.OwnData, task: str, every: int, validation: int, test: int
) -> dict[str, list[tuple[Volume, list[int]]]]:
    """Part → CT volumes of the user's with the slices taken from each, evenly spread.

    Subjects are split by `subject_split`. All training subjects together give about as many
    slices as the course's own training patient, every `every`-th of them; the others give
    `validation` and `test` slices each. A test subject's slices are adjacent.

    Raises CourseError for anything but CT in HU.
    """
    data = own.expect(data, own.Scans, task)
    if wrong := [volume.subject for volume in data.volumes if volume.unit != "HU"]:
        raise CourseError(
            f"{task} scans CT in HU, but {wrong[0]} in {data.source} holds no values below -500: "
            "it is no CT, or its values are not HU."
        )
    members = parts([volume.subject for volume in data.volumes])
    share = -(-TRAINING_SLICES // every // len(members["train"]))
    counts = {"train": share, "validation": validation, "test": test}
    choose = {"train": spread, "validation": spread, "test": middle}
    return {
        part: [
            (volume, choose[part](0, len(volume.image), min(counts[part], len(volume.image))))
            for volume in (data.volumes[i] for i in members[part])
        ]
        for part in members
    }
