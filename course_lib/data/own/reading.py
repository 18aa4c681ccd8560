"""How the user wants a path to be read: `path:FOLDER?unit=HU&series=T1w`.

What a file does not say, its owner does. The answers travel in the data set's name, so that a job,
its key and its record hold them too.
"""

import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from course_lib.cases import is_own, is_public
from course_lib.data import public
from course_lib.errors import CourseError

UNITS = ("HU", "a.u.", "a.u.,HU", "HU,a.u.")
FLAGS = ("skip", "resample_labels")
ANSWERS = {"yes": True, "no": False, "": True}


@dataclass(frozen=True)
class Reading:
    """What the user says of the data.

    Arguments:
        unit: of the images: `HU` or `a.u.`; of pairs also `a.u.,HU` (from MR to CT): of sources and
            of targets; empty: as the files say, or else unknown.
        series: which of several series or contrasts of a subject: a part of its name.
        subject: who an image is of: a regular expression with one group for the file's path below
            the folder, or a CSV or JSON file that names a subject for each image.
        split: a CSV or JSON file that names a part (train, validation, test) for each subject or
            image; `none`: no split that the folders give is kept.
        skip: leave out the cases that cannot be used instead of refusing all.
        resample_labels: bring label maps onto the grid of their image where the two differ.
    """

    unit: str = ""
    series: str = ""
    subject: str = ""
    split: str = ""
    skip: bool = False
    resample_labels: bool = False

    def __post_init__(self) -> None:
        if self.unit and self.unit not in UNITS:
            raise CourseError(f"unit={self.unit!r} is unknown. Expected: {' or '.join(UNITS)}.")

    @property
    def units(self) -> tuple[str, str]:
        """The unit of the images and that of their targets, empty where not said.

        >>> Reading(unit="a.u.,HU").units, Reading(unit="HU").units
        (('a.u.', 'HU'), ('HU', 'HU'))
        """
        first, _, second = self.unit.partition(",")
        return first, second or first


def parse(dataset: str) -> tuple[Path, Reading]:
    """The path of `path:PLACE?NAME=VALUE&…`, or of a public data set `NAME?…`, and how to read it.

    A path that exists with its question mark is taken as it is.

    Raises CourseError for an answer of another name.

    >>> parse("path:scans?unit=HU")[1].unit
    'HU'
    """
    if is_public(dataset):
        name, mark, query = dataset.partition("?")
        text = place = str(public.get(name).place)
    else:
        text = dataset.partition(":")[2]
        place, mark, query = text.rpartition("?")
        if os.path.exists(Path(text).expanduser()):  # also where a name is too long
            mark = ""
    if not mark:
        return Path(text).expanduser(), Reading()
    answers = dict(parse_qsl(query, keep_blank_values=True))
    known = [field.name for field in fields(Reading)]
    if unknown := [name for name in answers if name not in known]:
        raise CourseError(f"{unknown[0]!r} says nothing of data. Expected: {', '.join(known)}.")
    if unclear := [name for name in FLAGS if answers.get(name, "no") not in ANSWERS]:
        raise CourseError(f"{unclear[0]}={answers[unclear[0]]} is unclear. Expected: yes or no.")
    said: dict[str, Any] = {
        name: ANSWERS[value] if name in FLAGS else value for name, value in answers.items()
    }
    return Path(place).expanduser(), Reading(**said)


def query(reading: Reading) -> str:
    """What follows the path: `?unit=HU`, or nothing when nothing is said.

    >>> query(Reading(unit="HU", skip=True)), query(Reading())
    ('?unit=HU&skip=yes', '')
    """
    said = {
        name: "yes" if value is True else value for name, value in asdict(reading).items() if value
    }
    return f"?{urlencode(said)}" if said else ""


def short(dataset: str) -> str:
    """The name of a data set for people: a path's last part and what was said, no folder above it.

    >>> short("path:/home/ada/scans?unit=HU"), short("brain_tissue")
    ('path:scans?unit=HU', 'brain_tissue')
    """
    if is_public(dataset) or not is_own(dataset):
        return dataset
    place, reading = parse(dataset)
    tables: dict[str, Any] = {
        name: Path(getattr(reading, name)).name for name in ("subject", "split")
    }
    return f"{dataset.partition(':')[0]}:{place.name}{query(replace(reading, **tables))}"
