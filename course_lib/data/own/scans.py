"""Folders of volumes: Decathlon and NIfTI, turned to LPS with their spacing kept."""

import json
from pathlib import Path

import numpy as np

from course_lib.data.own.kinds import Scans
from course_lib.data.own.reading import Reading
from course_lib.data.volume import HU_RANGE, Volume, nifti
from course_lib.errors import CourseError

IMAGES = ("images", "imagesTr", "image", "source")
OTHERS = {"labels": "label", "labelsTr": "label", "label": "label", "target": "target"}
SUFFIXES = (".nii", ".nii.gz")


def holds(place: Path) -> bool:
    """Whether a folder holds volumes: a Decathlon description or NIfTI files."""
    return (place / "dataset.json").is_file() or bool(_files(_images(place)))


def read(place: Path, reading: Reading, unverified: bool = False) -> Scans:
    """The volumes of a folder.

    Raises CourseError when a file is broken.
    """
    for form in (decathlon, nifti_folder):
        if (found := form(place)) is not None:
            return found
    raise CourseError(f"{place} holds no volumes.")


def decathlon(place: Path) -> Scans | None:
    """The labelled training volumes of a Medical Segmentation Decathlon folder, or None.

    Where a file holds several contrasts, the first one is taken.
    Source: Antonelli et al. 2022, doi 10.1038/s41467-022-30695-9.
    """
    file = place / "dataset.json"
    if not file.is_file():
        return None
    try:
        about = json.loads(file.read_text("utf-8"))
        pairs = [(place / row["image"], place / row["label"]) for row in about["training"]]
        names = {int(number): name for number, name in about.get("labels", {}).items()}
        contrast = str(about["modality"]["0"])
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{file} is not a Decathlon description ({type(error).__name__}: {error}). Expected: "
            "'modality', 'labels' and 'training', a list of image and label."
        ) from error
    inside = [f for pair in pairs for f in pair if f.resolve().is_relative_to(place.resolve())]
    if len(inside) < 2 * len(pairs):
        raise CourseError(f"{file} names files outside its own folder.")
    unit = "HU" if contrast.upper() == "CT" else "a.u."
    return Scans(
        source=place,
        provenance=f"measured: {contrast} volumes of your own, labels as given",
        licence=str(about.get("licence", "as you know it")),
        volumes=tuple(_volume(image, {"label": label}, unit) for image, label in pairs),
        names={number: name for number, name in names.items() if number > 0},
    )


def nifti_folder(place: Path) -> Scans | None:
    """NIfTI volumes directly in the folder, or in `images/` beside `labels/` (or `source/` beside
    `target/`) with equal file names; None if there are none."""
    if not (files := _files(_images(place))):
        return None
    others = {word: place / name for name, word in OTHERS.items() if (place / name).is_dir()}
    return Scans(
        source=place,
        provenance="measured: volumes of your own",
        licence="as you know it",
        volumes=tuple(
            _volume(file, {word: folder / file.name for word, folder in others.items()})
            for file in files
        ),
    )


def _images(place: Path) -> Path:
    """The folder that holds the images: one of IMAGES, or the place itself."""
    return next((place / name for name in IMAGES if _files(place / name)), place)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.name.endswith(SUFFIXES) and f.name[0] != ".")


def _volume(file: Path, others: dict[str, Path], unit: str | None = None) -> Volume:
    """A NIfTI image with what belongs to it on the same grid."""
    image, spacing, origin = _read(file, np.float32)
    labels = {}
    for word, other in others.items():
        if not other.is_file():
            raise CourseError(f"{file} has no partner {other}. Both need the same file name.")
        labels[word] = _read(other, np.int16 if word == "label" else np.float32)[0]
        if labels[word].shape != image.shape:
            raise CourseError(
                f"{other} has shape {labels[word].shape} and its image {image.shape} (z, y, x). "
                "Resample one onto the grid of the other first."
            )
    if unit is None:  # NIfTI does not say; nothing but CT has values far below zero
        unit = "HU" if image.min() < -500 else "a.u."
    if unit == "HU":
        np.clip(image, *HU_RANGE, out=image)
    return Volume(image, spacing, file.name.partition(".nii")[0], unit, origin, labels)


def _read(file: Path, kind: type) -> tuple[np.ndarray, tuple, tuple]:
    from nibabel.filebasedimages import ImageFileError

    try:
        return nifti(file, kind)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise CourseError(f"{file} cannot be read as a NIfTI volume: {error}.") from error
