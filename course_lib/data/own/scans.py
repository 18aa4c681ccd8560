"""Folders of volumes: Decathlon, nnU-Net, NIfTI, NRRD and DICOM, in LPS with their spacing."""

from pathlib import Path

import numpy as np

from course_lib.data.own import described, layouts, streams
from course_lib.data.own.kinds import Scans
from course_lib.data.own.reading import Reading
from course_lib.data.volume import HU_RANGE, Volume
from course_lib.errors import CourseError


def holds(place: Path) -> bool:
    """Whether a folder holds volumes: a description of them, their files or DICOM series."""
    known = described.holds(place) or bool(layouts.volumes_in(place))
    return known or any(_holds_dicom(folder) for folder in _folders(place))


def read(place: Path, reading: Reading, unverified: bool = False) -> Scans:
    """The volumes of a folder.

    Raises CourseError when a file is broken, or there is no series of several slices.
    """
    if described.holds(place):
        return streams.scans(place, described.read(place, reading), reading)
    if layouts.volumes_in(place):
        return streams.scans(place, layouts.read(place, reading), reading)
    if (found := dicom_folder(place)) is not None:
        return found
    raise CourseError(f"{place} holds no DICOM series of more than one slice.")


def dicom_folder(place: Path) -> Scans | None:
    """DICOM series in the folder or in folders below it, one subject for each folder directly
    below `place`; None if there is none. Of a subject's series the one with most slices is taken.
    """
    from SimpleITK import ImageSeriesReader

    series: dict[str, tuple[str, ...]] = {}
    for folder in _folders(place):
        if not _holds_dicom(folder):
            continue
        subject = _subject(folder, place)
        for number in ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
            files = ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), number)
            if len(files) > max(1, len(series.get(subject, ()))):  # one file: a report, a plan
                series[subject] = files
    if not series:
        return None
    return Scans(
        source=place,
        provenance="measured: DICOM series of your own",
        licence="as you know it",
        volumes=tuple(_series(files, subject) for subject, files in series.items()),
    )


def _holds_dicom(folder: Path) -> bool:
    """Whether the folder's first file that is not hidden is DICOM, whatever its name."""
    from pydicom.misc import is_dicom

    files = (file for file in sorted(folder.iterdir()) if file.is_file() and file.name[0] != ".")
    return any(is_dicom(file) for file, _ in zip(files, range(5), strict=False))


def _folders(place: Path) -> list[Path]:
    """The folder and all below it."""
    return [place, *sorted(f for f in place.rglob("*") if f.is_dir())]


def _subject(folder: Path, place: Path) -> str:
    """The name of the first folder below `place`: all series within are of one subject."""
    below = folder.relative_to(place).parts
    return below[0] if below else place.name


def _series(files: tuple[str, ...], subject: str) -> Volume:
    """One DICOM series, turned to LPS, CT in HU.

    Raises CourseError when slices are missing or lie at uneven distances.
    """
    import pydicom
    import SimpleITK

    heads = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    if all("ImagePositionPatient" in head for head in heads):
        places = np.array([head.ImagePositionPatient for head in heads], float)
        steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
        if steps.max() - steps.min() > 0.01 * max(steps.mean(), 0.1):
            raise CourseError(
                f"The slices of {Path(files[0]).parent} lie {steps.min():.2f} to "
                f"{steps.max():.2f} mm apart: one may be missing. Even distances are needed."
            )
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    turned = SimpleITK.DICOMOrient(reader.Execute(), "LPS")
    image = SimpleITK.GetArrayFromImage(turned).astype(np.float32)
    unit = "HU" if heads[0].get("Modality") == "CT" else "a.u."
    if unit == "HU":
        np.clip(image, *HU_RANGE, out=image)
    spacing, origin = turned.GetSpacing()[::-1], turned.GetOrigin()[::-1]
    return Volume(image, spacing, subject, unit, origin)
