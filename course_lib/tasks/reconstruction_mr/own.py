"""MR reconstruction of the user's own volumes: magnitudes that get a phase, split by subject."""

from dataclasses import replace

from course_lib.cases import PATH, Cases, join, parts
from course_lib.data import own
from course_lib.errors import CourseError
from course_lib.tasks.base import Splits
from course_lib.tasks.reconstruction_mr import few_samples
from course_lib.tasks.reconstruction_mr.scans import SIZES, Scan, volume_cases


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Samples the volumes that lie at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's MR volumes (`Scans`, magnitudes), split by subject, sampled as `cartesian_x4` with
    a simulated phase.

    Raises CourseError for CT: its pictures do not come from k-space.
    """
    data = own.expect(data, own.Scans, "reconstruction_mr")
    if ct := [volume.subject for volume in data.volumes if volume.unit == "HU"]:
        raise CourseError(f"reconstruction_mr needs MR magnitudes, but {ct[0]} holds HU (CT).")
    size, scan = SIZES[profile], Scan("cartesian", 4.0, SIZES[profile], seed)
    members = parts([volume.subject for volume in data.volumes])

    def part(name: str, count: int, group: str) -> Cases:
        chosen = [data.volumes[i] for i in members[name]]
        return join([volume_cases(volume, count, group, scan) for volume in chosen])

    return Splits(
        train=part("train", -(-size.training // len(members["train"])), "training"),
        validation=part("validation", size.validation, "validation"),
        test=part("test", size.test, "other subjects"),
    )


QUESTION = replace(
    few_samples.QUESTION, id="own", title="Your own MR", sources={PATH: ()}, make=make
)
