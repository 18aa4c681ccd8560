"""The values of DICOM images: decoded, and rescaled to what they mean."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own.dicom_headers import GROUPS, Plane
from course_lib.data.volume import HU_RANGE
from course_lib.errors import CourseError


def values(planes: Sequence[Plane], unit: str) -> np.ndarray:
    """float32 (n, rows, columns): HU within `HU_RANGE`, or what the file calls its values.

    MONOCHROME1, where small numbers are bright, is turned over unless the values are HU.

    Raises CourseError for a file whose pixels cannot be decoded.
    """
    found = np.empty((len(planes), planes[0].rows, planes[0].columns), np.float32)
    file, head, frames = None, None, np.empty(0)
    for k, plane in enumerate(planes):
        if plane.file != file:
            file, (head, frames) = plane.file, _decoded(plane.file)
        stored = frames[plane.frame]
        if stored.shape != found.shape[1:]:
            raise CourseError(f"{file} holds {stored.shape} pixels; its header says otherwise.")
        found[k] = _meant(stored, head, plane, unit)
    return np.clip(found, *HU_RANGE, out=found) if unit == "HU" else found


def shown(plane: Plane) -> np.ndarray:
    """A single picture as its file's window shows it, float32 (y, x) in 0 … 1.

    Raises CourseError when its pixels cannot be decoded or are all the same.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    head, frames = _decoded(plane.file)
    grey = np.asarray(apply_voi_lut(apply_modality_lut(frames[plane.frame], head), head), float)
    low, high = float(grey.min()), float(grey.max())
    if not high > low:
        raise CourseError(f"{plane.file} shows nothing: all its pixels are {low:g}.")
    grey = (grey - low) / (high - low)
    inverted = head.get("PhotometricInterpretation") == "MONOCHROME1"
    return (1 - grey if inverted else grey).astype(np.float32)


def _meant(stored: np.ndarray, head: Any, plane: Plane, unit: str) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    if head.get("PhotometricInterpretation") == "MONOCHROME1" and unit != "HU":
        bits, signed = int(head.BitsStored), int(head.get("PixelRepresentation") or 0)
        stored = (-1 if signed else 2**bits - 1) - stored.astype(np.int64)
    if head.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, head)
    slope, intercept = plane.rescale or (1.0, 0.0)
    meant = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    padding = head.get("PixelPaddingValue")
    if unit == "HU" and padding is not None:
        meant[stored == padding] = HU_RANGE[0]  # outside the scanner's field
    return meant


def _decoded(file: Path) -> tuple[Any, np.ndarray]:
    """A file's header, and its stored numbers (frames, rows, columns)."""
    import pydicom

    try:
        head = pydicom.dcmread(file, force=True)
        if "TransferSyntaxUID" not in head.file_meta:  # written without the part that says it
            head.file_meta.TransferSyntaxUID = (
                pydicom.uid.ExplicitVRLittleEndian
                if head.original_encoding == (False, True)
                else pydicom.uid.ImplicitVRLittleEndian
            )
        array = head.pixel_array if _known(head) else _by_simpleitk(head)
    except Exception as error:  # each decoder has errors of its own
        reason = str(error).strip().splitlines()
        raise CourseError(
            f"The pixels of {file} cannot be decoded: {reason[0] if reason else error!r}."
        ) from error
    return head, array.reshape(-1, int(head.Rows), int(head.Columns))


def _known(head: Any) -> bool:
    """Whether pydicom can decode it with what is installed; if not, SimpleITK may."""
    from pydicom.pixels import get_decoder

    try:
        return get_decoder(head.file_meta.TransferSyntaxUID).is_available
    except NotImplementedError:
        return False


def _by_simpleitk(head: Any) -> np.ndarray:
    """Stored numbers of lossless JPEG and JPEG-LS, from a copy without anything that rescales."""
    import pydicom
    import SimpleITK

    rescaling = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", *GROUPS)
    plain = pydicom.Dataset()
    plain.update({e.tag: e for e in head if e.keyword not in rescaling})
    plain.file_meta = head.file_meta
    plain.PhotometricInterpretation = "MONOCHROME2"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.dcm"
        plain.save_as(file, enforce_file_format=True)
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))
