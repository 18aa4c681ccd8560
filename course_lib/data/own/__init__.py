"""The user's own data: `--dataset path:FOLDER`. What a path holds, or a public data set
(`medmnist/NAME`, `msd/TASK`), which is read in the same way once it is fetched.

Formats are known by what lies in the path:

- a file in MedMNIST's form (`breastmnist.npz`, `nodulemnist3d_64.npz`, `mine.npz`), pictures in a
  folder for each class, or a CSV that labels pictures → `Labelled`;
- a Medical Segmentation Decathlon folder (`dataset.json`) → `Scans` with labels;
- a folder of NIfTI volumes, or with folders of volumes of equal names (`images/` and `labels/`,
  or `source/` and `target/`) → `Scans`;
- a folder of DICOM series → `Scans`, or of X-rays → `Pictures`;
- a folder of measured k-space (`.h5`, complex `.npy`) → `KSpace`;
- pictures with boxes: COCO (JSON), Pascal VOC (XML), YOLO (text) → `Boxed`;
- pictures with masks (`images/` and `masks/`, `x.png` and `x_mask.png`) → `Masked`;
- a folder of 2D pictures (PNG, JPEG, TIFF, …) → `Pictures`.

A section's question `own` says what it makes of them, and raises CourseError for what does not fit.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from course_lib.cases import UNVERIFIED, is_public, subject_split
from course_lib.data import public
from course_lib.data.own import files, tables
from course_lib.data.own.kinds import Boxed, Labelled, LeftOut, Masked, OwnData, Pictures, Scans
from course_lib.data.own.reading import Reading, parse
from course_lib.errors import CourseError

__all__ = [
    "Boxed",
    "Labelled",
    "LeftOut",
    "Masked",
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
READERS = ("boxes", "voc", "yolo", "masks", "scans", "dicom", "kspace", "labels", "pictures")
FORMATS = (
    "a MedMNIST npz, a Decathlon folder (dataset.json), a folder of NIfTI volumes or DICOM series, "
    "of k-space (.h5, .npy), pictures with boxes (COCO, Pascal VOC, YOLO), pictures with masks, a "
    "folder of pictures for each class, a CSV of labels, or a folder of PNG, JPEG or TIFF pictures"
)


def location(dataset: str) -> Path:
    """The path in `path:…` or `unverified:…`, or where a public data set lies; CourseError if
    nothing is there."""
    if not is_public(dataset) and dataset.partition(":")[2].partition("?")[0].strip() == "":
        raise CourseError(f"{dataset!r} names no path. Expected after 'path:': {FORMATS}.")
    place, reading = parse(dataset)
    if is_public(dataset):
        public.whole(dataset.partition("?")[0])
    if not os.path.exists(place):  # also where a name is too long
        raise CourseError(f"{place} does not exist. Expected after 'path:': {FORMATS}.")
    if (text := tables.readable(str(place))) != str(place):
        raise CourseError(f"The name of {text} is no UTF-8, so no record can hold it: rename it.")
    for name in (reading.subject, reading.split):
        if tables.is_table(name) and not Path(name).is_file():
            raise CourseError(f"The table {name} does not exist.")
    return place


def reader(dataset: str) -> str:
    """The module of `course_lib.data.own` that reads what lies at `path:…`.

    Raises CourseError when the format is not known.
    """
    place = location(dataset)
    if place.suffix == ".npz":
        return "labelled"
    if place.is_dir():
        for name in READERS:
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
    """SHA-256 over the names and bytes of the data's files and of the tables that say how to read
    them. Hidden files, records and reports of the course do not belong to the data."""
    place, reading = location(dataset), parse(dataset)[1]
    said = (reading.subject, reading.split)
    return files.digest(place, [Path(name) for name in said if tables.is_table(name)])


def expect(data: OwnData, kinds: type[Kind] | tuple[type[Kind], ...], task: str) -> Kind:
    """The same data, which are of one of `kinds`, or as far as they are.

    Raises CourseError when they are not, and says what `task` can use instead.
    """
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    for seen in (data, *data.also):
        if isinstance(seen, kinds):
            return seen
    wanted = " or ".join(kind.what for kind in kinds)
    raise CourseError(f"{data.source} is {data.what}, but {task} needs {wanted}.")


def divided(
    data: OwnData, names: Sequence[str], subjects: Sequence[str], may_lack: Sequence[str] = ()
) -> dict[str, list[int]]:
    """Part → the positions in `names` that belong to it: the given split, or one by subject.

    Arguments:
        names, subjects: of each item, and whom it is of.
        may_lack: parts that a given split may leave empty.
    Raises CourseError when a subject stands in two given parts, or a part is empty.
    """
    both = list(zip(names, subjects, strict=True))
    if data.given:
        placed = [data.given.get(name) or data.given.get(subject) for name, subject in both]
    else:
        split = subject_split(subjects)
        placed = [split[subject] for subject in subjects]
    found: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    homes: dict[str, set[str]] = {}
    for position, (part, subject) in enumerate(zip(placed, subjects, strict=True)):
        if part is not None:
            homes.setdefault(subject, set()).add(part)
            found[part].append(position)
    if torn := [f"{who} ({', '.join(sorted(at))})" for who, at in homes.items() if len(at) > 1]:
        raise CourseError(
            f"All images of a subject belong into one part, but in {data.source} these stand in "
            f"several: {tables.listed(torn)}. Mend the split, say with --subject-pattern whom an "
            "image is of, or divide anew with --split none."
        )
    if empty := [part for part in found if not found[part] and part not in may_lack]:
        raise CourseError(
            f"The split given for {data.source} leaves nothing for {empty[0]}. Mend it, or divide "
            "anew with --split none."
        )
    return found
