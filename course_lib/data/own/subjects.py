"""Whom each image is of: what a split keeps apart.

Every reader asks here, with the paths of its images below the folder. Where a file itself says whom
it is of (DICOM's PatientID), the reader asks only when the user has said a rule.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.data.own import tables
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

COLUMNS = (
    "subject",
    "patient",
    "subject_id",
    "patient_id",
    "patientid",
    "participant_id",
    "person",
)
BIDS = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)(?=[/_.]|$)")
PARTS = re.compile(r"(?:train|training|val|valid|validation|dev|test|testing)(?:[-_]?\d+)?", re.I)
"""Names of folders that are parts of a split, not people."""
VISIT = re.compile(
    r"(?:ses|session|visit|scan|study|exam|time|timepoint|tp|day|week|month|year|baseline|bl|"
    r"follow[-_]?up|fu|[mvt])[-_]?\d{0,4}[a-z]?|(?:19|20)\d\d[-_]?\d\d[-_]?\d\d",
    re.I,
)
"""Names of folders inside a person's: when the images were taken."""
ENDING = re.compile(
    r"(?:[-_. ](?:(?:ses|session|visit|scan|run|echo|time|tp|acq|rec|baseline|followup|follow-up|"
    r"pre|post)[-_]?\w{0,8}|v\d{1,2}|t\d{1,2}\w{0,2}|flair|pd|pdw|dwi|adc|"
    r"left|right|l|r|od|os|lcc|rcc|lmlo|rmlo)|(?<=\d)[LR])$",
    re.I,
)
"""What tells a person's images from one another: visit, echo, contrast, side."""


def of(names: Sequence[str], reading: Reading) -> list[str]:
    """The subject of each image.

    In this order: the rule that the user gave (`--subject-pattern`), BIDS's `sub-…`, the folder
    where folders repeat the same few file names, and the file's name, without a visit, echo,
    contrast or side at its end where that leaves several images the same name.

    Arguments:
        names: paths of the images below the folder, `/` between folders.
    Raises CourseError when the rule leaves an image without a subject.

    >>> of(["p1_L.png", "p1_R.png", "p2_L.png"], Reading())
    ['p1', 'p1', 'p2_L']
    >>> of(["x/sub-03_ses-1_T1w.nii", "x/sub-03_ses-2_T1w.nii"], Reading())
    ['sub-03', 'sub-03']
    >>> of(["p1/v1/a.nii", "p1/v2/a.nii", "p2/v1/a.nii", "p3/v1/a.nii"], Reading())
    ['p1', 'p1', 'p2', 'p3']
    >>> of(["a-17.png", "b-17.png"], Reading(subject=r"-(\\d+)"))
    ['17', '17']
    """
    found = _by_rule(names, reading.subject) if reading.subject else _by_name(names)[0]
    return list(map(tables.readable, found))


def said(names: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """One sentence on how many subjects there are and how they were told."""
    people, images = len(set(of(names, reading))), len(names)
    if reading.subject:
        return (f"{people} subjects from {images} images, by the rule given.",)
    how = _by_name(names)[1]
    if people == images:
        return (
            f"Each of the {images} images counts as a subject of its own; "
            "--subject-pattern says otherwise.",
        )
    return (f"{people} subjects from {images} images, by {how}; --subject-pattern says otherwise.",)


def _by_rule(names: Sequence[str], rule: str) -> list[str]:
    if tables.is_table(rule):
        table = tables.load(Path(rule).expanduser(), COLUMNS)
        answers = [tables.found(table, name) for name in names]
    else:
        pattern = compiled(rule)
        matches = [pattern.search(name) for name in names]
        answers = [match[1] if match else None for match in matches]
    if lacking := [name for name, who in zip(names, answers, strict=True) if not who]:
        raise CourseError(
            f"--subject-pattern {rule} gives no subject for {len(lacking)} of {len(names)} images: "
            f"{tables.listed(lacking)}."
        )
    return [who for who in answers if who]


def compiled(rule: str) -> re.Pattern[str]:
    """A regular expression with one group.

    Raises CourseError for anything else.
    """
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise CourseError(f"--subject-pattern {rule} is no regular expression: {error}.") from error
    if pattern.groups != 1:
        raise CourseError(
            f"--subject-pattern {rule} has {pattern.groups} groups. Expected: one group in "
            r"brackets, the subject, such as 'patient(\d+)_', or a CSV or JSON file."
        )
    return pattern


def _by_name(names: Sequence[str]) -> tuple[list[str], str]:
    """Subjects, and by what they were told."""
    bids = [BIDS.search(name) for name in names]
    if names and all(bids):
        return [match[1] for match in bids if match], "sub-… in their names"
    folders = ["/".join(_people(name)) for name in names]
    stems = [tables.stem(name) for name in names]
    inside = defaultdict(set)
    for folder, stem in zip(folders, stems, strict=True):
        inside[stem].add(folder)
    if len(set(folders)) > max(2, len(inside)) and any(len(found) > 1 for found in inside.values()):
        return folders, "the folders that they lie in"
    full = [
        f"{folder}/{stem}" if len(inside[stem]) > 1 else stem
        for folder, stem in zip(folders, stems, strict=True)
    ]
    short = [_without_endings(name) for name in full]
    often = Counter(short)
    found = [few if often[few] > 1 else name for few, name in zip(short, full, strict=True)]
    return found, "their names without visit, contrast or side at the end"


def _people(name: str) -> list[str]:
    """The folders above a file that are not parts of a split, nor visits of a person."""
    folders = [part for part in PurePosixPath(name).parts[:-1] if not PARTS.fullmatch(part)]
    return [part for k, part in enumerate(folders) if k == 0 or not VISIT.fullmatch(part)]


def _without_endings(name: str) -> str:
    while (shorter := ENDING.sub("", name)) and shorter != name and shorter[-1] != "/":
        name = shorter
    return name
