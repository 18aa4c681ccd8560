"""Folders of volumes: Decathlon, nnU-Net, BIDS, NIfTI, NRRD and MHA, in LPS with their spacing."""

from pathlib import Path

from course_lib.data.own import described, groups, layouts, streams
from course_lib.data.own.kinds import Scans
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError


def holds(place: Path) -> bool:
    """Whether a folder holds volumes: a description of them, or their files."""
    return described.holds(place) or bool(groups.volumes_in(place))


def read(place: Path, reading: Reading, unverified: bool = False) -> Scans:
    """The volumes of a folder.

    Raises CourseError when a file is broken.
    """
    if described.holds(place):
        return streams.scans(place, described.read(place, reading), reading)
    if groups.volumes_in(place):
        return streams.scans(place, layouts.read(place, reading), reading)
    raise CourseError(f"{place} holds no volumes.")
