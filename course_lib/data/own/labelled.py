"""MedMNIST files as labelled images."""

import re
from pathlib import Path

import numpy as np

from course_lib.data import medmnist
from course_lib.data.own.kinds import Labelled
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

PARTS = {"train": "train", "val": "validation", "test": "test"}


def read(file: Path, reading: Reading, unverified: bool = False) -> Labelled:
    """The images of `name.npz` or `name_size.npz`, as MedMNIST calls its files.

    Raises CourseError for another name, another checksum unless allowed, and a broken file.
    """
    match = re.fullmatch(r"([a-z]+mnist(?:3d)?)(?:_(\d+))?", file.stem)
    if match is None:
        raise CourseError(
            f"{file.name} is not named as MedMNIST names its files, such as breastmnist.npz or "
            "pathmnist_64.npz; the name says what the numbers mean."
        )
    found = medmnist.load(match[1], int(match[2] or 28), file, unverified, progress=False)
    solid = found.name.endswith("3d")
    return Labelled(
        source=file,
        provenance=f"MedMNIST {found.name}, {found.provenance} file",
        licence=found.licence,
        images={PARTS[split]: _channels(each, solid) for split, each in found.images.items()},
        labels={PARTS[split]: each for split, each in found.labels.items()},
        classes=found.classes,
        subjects={
            PARTS[split]: [f"{found.name}-{split}-{i:05d}" for i in range(len(each))]
            for split, each in found.images.items()
        },
    )


def _channels(images: np.ndarray, solid: bool) -> np.ndarray:
    """uint8 (n, y, x), (n, y, x, 3) or (n, z, y, x) → float32 (n, C, …) in 0 … 1."""
    scaled = images.astype(np.float32) / 255
    if not solid and images.ndim == 4:
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    return scaled[:, None]
