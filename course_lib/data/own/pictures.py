"""Folders of 2D pictures."""

from pathlib import Path

import numpy as np

from course_lib.data.own.kinds import Pictures
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def holds(place: Path) -> bool:
    """Whether a folder holds pictures."""
    return any(file.suffix.lower() in SUFFIXES for file in place.iterdir())


def read(place: Path, reading: Reading, unverified: bool = False) -> Pictures:
    """All pictures of a folder in grey, in the order of their names."""
    files = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
    return Pictures(
        source=place,
        provenance="measured: pictures of your own",
        licence="as you know it",
        images=tuple(load(file).mean(0) for file in files),
        names=tuple(file.stem for file in files),
        subjects=tuple(file.stem for file in files),
    )


def load(file: Path) -> np.ndarray:
    """A picture as float32 (C, y, x) in 0 … 1, one or three channels; CourseError if broken."""
    from skimage import io, util

    try:
        image = util.img_as_float32(io.imread(file))
    except Exception as error:  # each of the many readers has errors of its own
        raise CourseError(f"{file} cannot be read as a picture: {error}.") from error
    if image.ndim == 2:
        return image[None]
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise CourseError(f"{file} has shape {image.shape}; a 2D grey or colour picture is needed.")
    return np.ascontiguousarray(image[..., :3].transpose(2, 0, 1))
