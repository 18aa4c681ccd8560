"""What the headers of DICOM files say: one `Plane` for each image, or for each frame of one file.

Pixels are not read here, and of each header only the tags that are used.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MANY = 200  # files; more take seconds, and are shown
TELLING = {  # what tells images of one place apart → in words; the first that differs is named
    "EchoTime": "echo time",
    "EchoNumbers": "echo",
    "InversionTime": "inversion time",
    "FlipAngle": "flip angle",
    "DiffusionBValue": "b-value",
    "ImageType": "image type",
    "ContrastBolusAgent": "contrast agent",
    "TemporalPositionIdentifier": "time",
    "TriggerTime": "trigger time",
    "AcquisitionNumber": "acquisition",
    "AcquisitionTime": "time of acquisition",
    "ContentTime": "time",
}
B_VALUES = ((0x0019, 0x100C), (0x0043, 0x1039), (0x2001, 0x1003))  # Siemens, GE, Philips
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
TAGS: tuple[str | tuple[int, int], ...] = (
    *("PatientID", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID", "SOPInstanceUID"),
    *("SOPClassUID", "Modality", "SeriesNumber", "SeriesDescription", "ProtocolName"),
    *("InstanceNumber", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "PixelSpacing", "ImagerPixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "GantryDetectorTilt", "ViewPosition"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *TELLING,
    *B_VALUES,
    *GROUPS,
)


@dataclass(frozen=True, eq=False)
class Plane:
    """One image: its file, which frame of it, and what its header says.

    Arguments:
        path: of the file below the folder, `/` between folders.
        position, orientation: of the first pixel in mm (3,), of its rows and columns (6,); None
            where the file does not say.
        spacing: in mm, of rows and of columns; None where the file does not say.
        rescale: slope and intercept from stored numbers to values; None where not given.
        telling: what can tell images of one place apart, by the names of `TELLING`.
    """

    file: Path
    path: str
    frame: int
    patient: str
    study: str
    date: str
    series: str
    number: str
    description: str
    modality: str
    sop_class: str
    instance: str
    grey: bool
    rows: int
    columns: int
    position: np.ndarray | None
    orientation: np.ndarray | None
    spacing: tuple[float, float] | None
    rescale: tuple[float, float] | None
    rescale_type: str
    tilt: float
    frames: int = 1
    view: str = ""
    telling: dict[str, Any] = field(default_factory=dict)


LIKE_DICOM = ("empty", "", ".dcm", ".ima", ".dicom")  # of these, each is named


def is_dicom(file: Path) -> bool:
    """Whether a file is DICOM, whatever its name, with or without the preamble of 128 bytes."""
    try:
        with open(file, "rb") as opened:
            start = opened.read(132)
    except OSError:
        return False
    bare = start[:2] in (b"\x08\x00", b"\x02\x00") and start[3:4] == b"\0"  # a first tag
    return start[128:] == b"DICM" or bare


def planes(place: Path, files: Iterable[Path]) -> tuple[list[Plane], dict[str, str]]:
    """The images of DICOM files, and path → why, of files that are no DICOM or cannot be read."""
    from tqdm import tqdm

    found: list[Plane] = []
    known: list[Path] = []
    others: list[Path] = []
    for file in files:
        (known if is_dicom(file) else others).append(file)
    broken = _no_dicom(place, others)
    for file in tqdm(known, desc="headers", unit="file", disable=len(known) < MANY, leave=False):
        path = file.relative_to(place).as_posix() if file != place else file.name
        try:
            found += _of_file(file, path)
        except Exception as error:  # a damaged header raises whatever its damage leads to
            broken[path] = f"cannot be read as DICOM: {error or type(error).__name__}"
    return found, broken


def _no_dicom(place: Path, others: Iterable[Path]) -> dict[str, str]:
    """What lies there and is no DICOM, many files of one kind together."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for file in others:
        name = file.relative_to(place).as_posix() if file != place else file.name
        kinds["empty" if not file.stat().st_size else file.suffix.lower()].append(name)
    found: dict[str, str] = {}
    for kind, names in kinds.items():
        why = "is empty" if kind == "empty" else "no DICOM"
        few = names if len(names) <= 3 or kind in LIKE_DICOM else [f"{len(names)} files *{kind}"]
        found |= dict.fromkeys(few, why)
    return found


def _of_file(file: Path, path: str) -> list[Plane]:
    import pydicom
    from pydicom.tag import Tag

    head = pydicom.dcmread(
        file, stop_before_pixels=True, specific_tags=[Tag(tag) for tag in TAGS], force=True
    )
    if "SOPClassUID" not in head and "Rows" not in head:
        return []  # DICOMDIR, which only lists other files, or no DICOM at all
    _check_length(file, head)
    count = int(head.get("NumberOfFrames") or 1)
    per_frame = head.get(GROUPS[1]) or []
    shared = (head.get(GROUPS[0]) or [None])[0]
    if len(per_frame) == count:
        return [_plane(file, path, head, k, count, (f, shared)) for k, f in enumerate(per_frame)]
    return [_plane(file, path, head, 0, count, ())]


def _check_length(file: Path, head: Any) -> None:
    """Raises ValueError when a file is shorter than the pixels that it must hold."""
    syntax = head.file_meta.get("TransferSyntaxUID") if hasattr(head, "file_meta") else None
    if "Rows" not in head or (syntax is not None and syntax.is_compressed):
        return
    needed = int(head.Rows) * int(head.get("Columns") or 0) * int(head.get("NumberOfFrames") or 1)
    needed = needed * int(head.get("BitsAllocated") or 8) // 8
    if (size := file.stat().st_size) < needed:
        raise ValueError(f"it is cut off, {size} bytes where its pixels need {needed}")


def _plane(file: Path, path: str, head: Any, frame: int, count: int, groups: tuple) -> Plane:
    def inner(sequence: str, name: str) -> Any:
        """A tag of a multi-frame file: of this frame, or of all."""
        for group in groups:
            if group is not None and group.get(sequence):
                return group[sequence][0].get(name)
        return head.get(name) if not groups else None

    spacing = _numbers(inner("PixelMeasuresSequence", "PixelSpacing"), 2)
    slope = _numbers(inner("PixelValueTransformationSequence", "RescaleSlope"), 1)
    intercept = _numbers(inner("PixelValueTransformationSequence", "RescaleIntercept"), 1)
    return Plane(
        file=file,
        path=path,
        frame=frame,
        patient=_text(head, "PatientID"),
        study=_text(head, "StudyInstanceUID"),
        date=_text(head, "StudyDate"),
        series=_text(head, "SeriesInstanceUID"),
        number=_text(head, "SeriesNumber"),
        description=_text(head, "SeriesDescription") or _text(head, "ProtocolName"),
        modality=_text(head, "Modality"),
        sop_class=_text(head, "SOPClassUID"),
        instance=_text(head, "SOPInstanceUID"),
        grey=int(head.get("SamplesPerPixel") or 1) == 1
        and _text(head, "PhotometricInterpretation")[:10] in ("MONOCHROME", ""),
        rows=int(head.get("Rows") or 0),
        columns=int(head.get("Columns") or 0),
        position=_numbers(inner("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_numbers(inner("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        rescale=None
        if slope is None or intercept is None
        else (float(slope[0]), float(intercept[0])),
        rescale_type=str(inner("PixelValueTransformationSequence", "RescaleType") or ""),
        tilt=float(head.get("GantryDetectorTilt") or 0),
        frames=count,
        view=_text(head, "ViewPosition"),
        telling=_telling(head, inner),
    )


def _telling(head: Any, inner: Any) -> dict[str, Any]:
    """The values that can tell images of one place apart."""
    found = {name: value for name in TELLING if (value := head.get(name)) not in (None, "")}
    frames = {
        "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
        "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
        "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
        "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
        "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    }
    for name, where in frames.items():
        if (value := inner(*where)) not in (None, ""):
            found[name] = value
    if "DiffusionBValue" not in found:
        values = (head.get(tag) for tag in B_VALUES)
        value = next((element.value for element in values if element is not None), None)
        if value is not None:
            found["DiffusionBValue"] = value
    if found.get("DiffusionBValue") is not None:
        found["DiffusionBValue"] = _b_value(found["DiffusionBValue"])
    return {name: _plain(value) for name, value in found.items()}


def _b_value(value: Any) -> Any:
    """GE writes several numbers, the first being the b-value plus a billion."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore").strip("\0 ").split("\\")
    first = value[0] if not isinstance(value, str) and hasattr(value, "__getitem__") else value
    try:
        return float(first) % 1e9
    except (TypeError, ValueError):
        return str(value)


def _plain(value: Any) -> Any:
    """A value that can be compared and sorted: a number or a text."""
    if isinstance(value, int | float) or hasattr(value, "real"):
        return round(float(value), 2)
    return str(value) if isinstance(value, str) else "\\".join(str(part) for part in value)


def _text(head: Any, name: str) -> str:
    return str(head.get(name) if head.get(name) is not None else "").strip()


def _numbers(value: Any, count: int) -> np.ndarray | None:
    """`count` finite numbers, or None."""
    if value is None or value == "":
        return None
    try:
        numbers = np.atleast_1d(np.array(value, float))
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (count,) and np.isfinite(numbers).all() else None
