"""The user's own data: `--dataset path:FOLDER`. What a path holds, and who is tested on.

Five formats are known by what lies in the path:

- a MedMNIST file (`breastmnist.npz`, `nodulemnist3d_64.npz`) → `Labelled`;
- a Medical Segmentation Decathlon folder (`dataset.json`) → `Scans` with labels;
- a folder of NIfTI volumes, or with folders of volumes of equal names (`images/` and `labels/`,
  or `source/` and `target/`) → `Scans`;
- a folder of DICOM series → `Scans`;
- a COCO folder (a JSON file with images and boxes) → `Boxed`;
- a folder of 2D pictures (PNG, JPEG, TIFF) → `Pictures`.

A task says in `Task.own` what it makes of them, and raises CourseError for what does not fit.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from course_lib.data.own.kinds import Boxed, Labelled, OwnData, Pictures, Scans
from course_lib.errors import CourseError

__all__ = [
    "Boxed",
    "Labelled",
    "OwnData",
    "Pictures",
    "Scans",
    "expect",
    "fingerprint",
    "is_own",
    "parts",
    "read",
    "subject_split",
]

PATH, UNVERIFIED = "path:", "unverified:"
FORMATS = (
    "a MedMNIST npz, a Decathlon folder (dataset.json), a folder of NIfTI volumes or DICOM series, "
    "a COCO folder (a .json with images and boxes), or a folder of PNG, JPEG or TIFF pictures"
)


def is_own(dataset: str) -> bool:
    """Whether a data set's name is a path of the user's."""
    return dataset.startswith((PATH, UNVERIFIED))


def location(dataset: str) -> Path:
    """The path in `path:…` or `unverified:…`; CourseError if nothing is there."""
    place = Path(dataset.partition(":")[2]).expanduser()
    if not place.exists():
        raise CourseError(f"{place} does not exist. Expected after 'path:': {FORMATS}.")
    return place


def read(dataset: str) -> OwnData:
    """What lies at `path:…`; `unverified:…` also takes MedMNIST files with another checksum.

    Raises CourseError when the format is not known or a file is broken.
    """
    from course_lib.data.own import boxes, labelled, pictures, scans

    place = location(dataset)
    if place.suffix == ".npz":
        return labelled.read(place, allow_unverified=dataset.startswith(UNVERIFIED))
    if place.is_dir():
        for reader in (scans.decathlon, boxes.coco, scans.nifti_folder, scans.dicom_folder):
            if (found := reader(place)) is not None:
                return found
        if (found := pictures.folder(place)) is not None:
            return found
    raise CourseError(f"{place} holds nothing that can be read. Expected: {FORMATS}.")


@lru_cache(maxsize=8)
def fingerprint(dataset: str) -> str:
    """SHA-256 over the names and bytes of all files at the path, in sorted order."""
    place = location(dataset)
    files = [place] if place.is_file() else sorted(f for f in place.rglob("*") if f.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(place.parent)}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def expect(data: OwnData, kinds: type | tuple[type, ...], task: str) -> None:
    """CourseError unless `data` is of one of `kinds`, saying what `task` can use instead."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(data, kinds):
        wanted = " or ".join(kind.what for kind in kinds)
        raise CourseError(f"{data.source} is {data.what}, but {task} needs {wanted}.")


def subject_split(subjects: Sequence[str]) -> dict[str, str]:
    """Subject → 'train', 'validation' or 'test': about 60, 20 and 20 %, at least one of each.

    Decided by a hash of the names, not by the seed and not by the order, so that the same subjects
    are tested on in every run.

    Raises CourseError for fewer than three subjects.

    >>> sorted(subject_split(["a", "b", "c"]).values())
    ['test', 'train', 'validation']
    """
    names = sorted(set(subjects), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(names) < 3:
        raise CourseError(
            f"{len(names)} subjects cannot be split into training, validation and test; at least "
            "3 are needed."
        )
    share = max(1, round(len(names) / 5))
    words = ["test"] * share + ["validation"] * share
    words += ["train"] * (len(names) - len(words))
    return dict(zip(names, words, strict=True))


def parts(subjects: Sequence[str]) -> dict[str, list[int]]:
    """Part → the positions in `subjects` that belong to it, by `subject_split`."""
    split = subject_split(subjects)
    return {
        part: [i for i, subject in enumerate(subjects) if split[subject] == part]
        for part in ("train", "validation", "test")
    }
