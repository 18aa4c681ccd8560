"""The user's own data: `--dataset path:FOLDER`. What a path holds.

Five formats are known by what lies in the path:

- a MedMNIST file (`breastmnist.npz`, `nodulemnist3d_64.npz`) → `Labelled`;
- a Medical Segmentation Decathlon folder (`dataset.json`) → `Scans` with labels;
- a folder of NIfTI volumes, or with folders of volumes of equal names (`images/` and `labels/`,
  or `source/` and `target/`) → `Scans`;
- a folder of DICOM series → `Scans`;
- a COCO folder (a JSON file with images and boxes) → `Boxed`;
- a folder of 2D pictures (PNG, JPEG, TIFF) → `Pictures`.

A section's question `own` says what it makes of them, and raises CourseError for what does not fit.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from course_lib.cases import UNVERIFIED, subject_split
from course_lib.data.own.kinds import Boxed, Labelled, LeftOut, OwnData, Pictures, Scans
from course_lib.data.own.reading import Reading, parse
from course_lib.errors import CourseError

__all__ = [
    "Boxed",
    "Labelled",
    "LeftOut",
    "OwnData",
    "Pictures",
    "Reading",
    "Scans",
    "divided",
    "expect",
    "fingerprint",
    "read",
    "reader",
]

Kind = TypeVar("Kind", bound=OwnData)
FORMATS = (
    "a MedMNIST npz, a Decathlon folder (dataset.json), a folder of NIfTI volumes or DICOM series, "
    "a COCO folder (a .json with images and boxes), or a folder of PNG, JPEG or TIFF pictures"
)


def location(dataset: str) -> Path:
    """The path in `path:…` or `unverified:…`; CourseError if nothing is there."""
    place = parse(dataset)[0]
    if not os.path.exists(place):  # also where a name is too long
        raise CourseError(f"{place} does not exist. Expected after 'path:': {FORMATS}.")
    return place


def reader(dataset: str) -> str:
    """The module of `course_lib.data.own` that reads what lies at `path:…`.

    Raises CourseError when the format is not known.
    """
    place = location(dataset)
    if place.suffix == ".npz":
        return "labelled"
    if (place / "dataset.json").is_file():
        return "scans"
    if place.is_dir():
        for name in ("boxes", "scans", "pictures"):
            if _module(name).holds(place):
                return name
    raise CourseError(f"{place} holds nothing that can be read. Expected: {FORMATS}.")


def read(dataset: str) -> OwnData:
    """What lies at `path:…`; `unverified:…` also takes MedMNIST files with another checksum.

    Raises CourseError when the format is not known or a file is broken.
    """
    # By name, so that no reader is imported, nor part of a job's key, but the one that is used.
    module = _module(reader(dataset))
    return module.read(location(dataset), parse(dataset)[1], dataset.startswith(UNVERIFIED))


def _module(name: str) -> ModuleType:
    return import_module(f"course_lib.data.own.{name}")


@lru_cache(maxsize=8)
def fingerprint(dataset: str) -> str:
    """SHA-256 over the names and bytes of all files at the path, in sorted order."""
    place = location(dataset)
    files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(os.fsencode(f"{file.relative_to(place.parent)}\0{file.stat().st_size}\0"))
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def expect(data: OwnData, kinds: type[Kind] | tuple[type[Kind], ...], task: str) -> Kind:
    """The same data, which are of one of `kinds`.

    Raises CourseError when they are not, and says what `task` can use instead.
    """
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(data, kinds):
        wanted = " or ".join(kind.what for kind in kinds)
        raise CourseError(f"{data.source} is {data.what}, but {task} needs {wanted}.")
    return data


def divided(data: OwnData, names: Sequence[str], subjects: Sequence[str]) -> dict[str, list[int]]:
    """Part → the positions in `names` that belong to it: the given split, or one by subject.

    Arguments:
        names, subjects: of each item, and whom it is of.
    Raises CourseError when a subject stands in two given parts, or a part is empty.
    """
    both = list(zip(names, subjects, strict=True))
    if data.given:
        placed = [data.given.get(name) or data.given.get(subject) for name, subject in both]
    else:
        split = subject_split(subjects)
        placed = [split[subject] for subject in subjects]
    found: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    home: dict[str, str] = {}
    for position, (part, subject) in enumerate(zip(placed, subjects, strict=True)):
        if part is None:
            continue
        if home.setdefault(subject, part) != part:
            raise CourseError(
                f"{subject} in {data.source} stands in {home[subject]} and in {part}. All images "
                "of a subject belong into one part."
            )
        found[part].append(position)
    if empty := [part for part, positions in found.items() if not positions]:
        raise CourseError(f"The split given for {data.source} leaves nothing for {empty[0]}.")
    return found
