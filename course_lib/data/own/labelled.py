"""Labelled images in MedMNIST's form: an npz with `train_images`, `train_labels` and so on.

A published name (`breastmnist.npz`, `pathmnist_64.npz`) says what the numbers mean, and the file
must be the published one unless the user allows another. In files of other names classes are
numbered.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data import medmnist
from course_lib.data.own.kinds import Labelled
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

PARTS = {"train": "train", "val": "validation", "test": "test"}


def read(file: Path, reading: Reading, unverified: bool = False) -> Labelled:
    """The images of `name.npz` or `name_size.npz`.

    Raises CourseError for a published name with another checksum unless allowed, and for files
    that are broken or hold something else.
    """
    match = re.fullmatch(r"([a-z]+mnist(?:3d)?)(?:_(\d+))?", file.stem)
    name = match[1] if match else ""
    if match is None or name not in medmnist.info():
        return _of_any_name(file, (), "images of your own")
    try:
        found = medmnist.load(name, int(match[2] or 28), file, unverified, progress=False)
    except CourseError:
        if not unverified:
            raise
        classes = tuple(medmnist.info()[name]["label"].values())
        return _of_any_name(file, classes, f"MedMNIST {name}, unverified file")
    solid = found.name.endswith("3d")
    official = found.provenance == "official"
    return Labelled(
        source=file,
        provenance=f"MedMNIST {found.name}, {found.provenance} file",
        licence=found.licence,
        images={PARTS[split]: Scaled(each, solid) for split, each in found.images.items()},
        labels={PARTS[split]: each for split, each in found.labels.items()},
        classes=found.classes,
        subjects=_subjects(found.name, {s: len(each) for s, each in found.images.items()}),
        published=found.name if official else "",
        notes=(
            "MedMNIST names no patients: each image counts as one.",
            *(_beside(found.name) if official else ()),
        ),
    )


def _beside(name: str) -> tuple[str, ...]:
    """What was published for the set, in a sentence, to be read beside one's own results."""
    if name not in medmnist.RESNET18:
        return ()
    auc, accuracy = medmnist.RESNET18[name]
    several = "" if len(medmnist.info()[name]["label"]) == 2 else ", the mean of its classes"
    return (
        f"Published for {name} at 28 pixels (MedMNIST v2, ResNet-18, 100 epochs, all test images): "
        f"AUC {auc:.3f}{several}, accuracy {accuracy:.3f}.",
    )


def _of_any_name(file: Path, classes: tuple[str, ...], provenance: str) -> Labelled:
    """A file in MedMNIST's form, any number of images in each part.

    Arguments:
        classes: their published names; numbered instead where they do not fit.
    """
    arrays = medmnist.arrays(file)
    images, labels = {}, {}
    for split in PARTS:
        images[split], labels[split] = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        _check(file, split, images[split], labels[split])
        if labels[split].ndim > 1 and labels[split].shape[1] == 1:
            labels[split] = labels[split][:, 0]
        labels[split] = labels[split].astype(np.int64)
    if len({(each.shape[1:], labels[split].shape[1:]) for split, each in images.items()}) > 1:
        raise CourseError(f"The parts of {file} hold images or labels of several shapes.")
    several = labels["train"].ndim > 1
    count = labels["train"].shape[1] if several else 1 + max(int(x.max()) for x in labels.values())
    numbered = count != len(classes)
    solid = images["train"].ndim == 4 and images["train"].shape[-1] not in (1, 3)
    notes = ["MedMNIST's form names no patients: each image counts as one."]
    if numbered:
        notes.append(f"The file names no classes: they are numbered, 0 to {count - 1}.")
    return Labelled(
        source=file,
        provenance=f"measured: {provenance}",
        licence="as you know it",
        images={PARTS[split]: Scaled(each, solid) for split, each in images.items()},
        labels={PARTS[split]: each for split, each in labels.items()},
        classes=tuple(f"class {k}" for k in range(count)) if numbered else classes,
        subjects=_subjects(file.stem, {split: len(each) for split, each in images.items()}),
        notes=tuple(notes),
    )


def _check(file: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """CourseError unless these are images with whole labels from 0 on."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4, 5) or not len(images):
        raise CourseError(
            f"{file}: {split}_images is {images.dtype} {images.shape}. Expected: uint8, one or "
            "more images (n, y, x), (n, y, x, 3) or volumes (n, z, y, x)."
        )
    if len(labels) != len(images) or labels.ndim not in (1, 2):
        raise CourseError(
            f"{file}: {split}_labels is {labels.shape} beside {len(images)} images. Expected: one "
            "label for each."
        )
    numbers = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all()
    )
    if not numbers or labels.min() < 0 or labels.max() > 999:
        raise CourseError(
            f"{file}: {split}_labels holds {labels.dtype} from {labels.min()} to {labels.max()}. "
            "Expected: whole numbers of classes from 0 on."
        )


def _subjects(name: str, counts: dict[str, int]) -> dict[str, list[str]]:
    return {
        PARTS[split]: [f"{name}-{split}-{k:05d}" for k in range(count)]
        for split, count in counts.items()
    }


class Scaled(Sequence[np.ndarray]):
    """Images kept as they are stored, float32 (C, …) in 0 … 1 when they are asked for.

    Arguments:
        stored: uint8 (n, y, x), (n, y, x, C), (n, z, y, x) or (n, z, y, x, C).
        solid: whether they are volumes.
    """

    def __init__(self, stored: np.ndarray, solid: bool) -> None:
        coloured = stored.ndim == 5 or (stored.ndim == 4 and not solid)
        self.stored = np.moveaxis(stored, -1, 1) if coloured else stored[:, None]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, C, y, x) or (n, C, z, y, x)."""
        return self.stored.shape

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, place: Any) -> Any:
        return np.ascontiguousarray(self.stored[place], np.float32) / np.float32(255)
