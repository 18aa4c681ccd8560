"""Measured k-space: fastMRI's HDF5 files, or complex NumPy arrays.

Files are opened for their headers; samples are read slice by slice when a question asks for them.
Axes are (slices, coils, rows, columns), where columns are phase encoding lines. Fewer axes:

- `.npy` of three: (coils, rows, columns), one slice; of two: (rows, columns), one slice, one coil;
- `.h5` of three: (slices, rows, columns), as fastMRI stores single-coil data.

The full k-space is the truth of a question, so files that were measured with fewer samples are
refused. Zero margins (partial Fourier, padding) are no gaps.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from course_lib.data.own import checks, files, given, subjects, tables
from course_lib.data.own.kinds import LeftOut, OwnData
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

HDF5, SUFFIXES = b"\x89HDF\r\n\x1a\n", (".h5", ".hdf5", ".npy")
GAPS = 0.01  # share of samples within the measured part of k-space that may be zero by chance
UNKNOWN = "The size of pixels is not known: 1 mm is taken."


@dataclass(frozen=True)
class Acquisition:
    """One file of k-space.

    Arguments:
        case, subject: what tells it from all others, and whom it is of.
        shape: (slices, coils, rows, columns).
        kept: rows and columns of the picture that are kept, around its middle: what lies outside
            comes from reading out more samples than the picture needs.
        pixel_mm: of rows and columns; None where the file does not say.
        cornered: frequency zero is stored first instead of in the middle.
    """

    case: str
    subject: str
    file: Path
    shape: tuple[int, int, int, int]
    kept: tuple[int, int]
    pixel_mm: tuple[float, float] | None
    cornered: bool

    def coils(self, number: int) -> np.ndarray:
        """A slice's k-space, complex64 (coils, rows, columns), frequency zero in the middle.

        Raises CourseError when it cannot be read or holds NaN or nothing.
        """
        samples = _slice(self.file, self.shape, number)
        return np.fft.fftshift(samples, (1, 2)) if self.cornered else samples


@dataclass(frozen=True)
class KSpace(OwnData):
    """Measured k-space, one or more files per subject."""

    what: ClassVar[str] = "measured k-space (fastMRI h5 or complex npy)"
    acquisitions: tuple[Acquisition, ...]


def holds(place: Path) -> bool:
    """Whether a folder holds HDF5 files or complex arrays."""
    return any(map(_is_ours, _files(place)))


def read(place: Path, reading: Reading, unverified: bool = False) -> KSpace:
    """The files of a folder, split as its folders say, or by subject.

    Raises CourseError that names all files that cannot be used, unless they are to be left out.
    """
    found: dict[str, tuple[Acquisition, str]] = {}
    bad: dict[str, str] = {}
    ours, real = [], []
    for file in _files(place):
        path = file.relative_to(place).as_posix()
        if _is_ours(file):
            ours.append(file)
        elif why := _broken(file):
            bad[path] = why
        else:
            real.append(LeftOut(path, "real numbers, no k-space"))
    paths = [file.relative_to(place).as_posix() for file in ours]
    for file, path in zip(ours, paths, strict=True):
        try:
            found[path] = _acquisition(file, path)
        except CourseError as error:
            bad[path] = str(error).rstrip(".")
    if not (reading.skip and found):
        checks.refuse(place, bad, len(found) + len(bad))
    known = list(found)
    people = _people(known, [patient for _, patient in found.values()], reading)
    named = [PARTS.sub(r"\1/", path) for path in known]
    parts, said = given.of(place, named, people, reading)
    acquired = [found[path][0] for path in known]
    return KSpace(
        source=place,
        provenance="measured k-space of your own",
        licence="as you know it",
        acquisitions=tuple(
            Acquisition(a.case, person, a.file, a.shape, a.kept, a.pixel_mm, a.cornered)
            for a, person in zip(acquired, people, strict=True)
        ),
        given=given.by_name([a.case for a in acquired], parts),
        left_out=(*(LeftOut(name, why) for name, why in bad.items()), *real),
        notes=(*_notes(acquired), f"{len(set(people))} subjects.", *said),
    )


PARTS = re.compile(r"(?:multicoil|singlecoil)_(train|val|test)(?:_\w+)?/")
"""Folders of fastMRI that are parts of a split."""


def _files(place: Path) -> list[Path]:
    return [file for file in files.within(place) if file.suffix.lower() in SUFFIXES]


def _is_ours(file: Path) -> bool:
    if file.suffix.lower() != ".npy":
        with open(file, "rb") as opened:
            return opened.read(len(HDF5)) == HDF5
    try:
        return np.iscomplexobj(np.load(file, mmap_mode="r"))
    except (ValueError, OSError, EOFError):
        return False


def _broken(file: Path) -> str:
    """Why a file is none of its kind, or nothing."""
    if file.suffix.lower() != ".npy":
        return "is no HDF5 file: it may be cut off, or a link to data that were not fetched"
    try:
        np.load(file, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        return f"cannot be read as an array: {error}"
    return ""


def _people(paths: list[str], patients: list[str], reading: Reading) -> list[str]:
    """By the rule given, or fastMRI's patient_id, or the files' names."""
    if not reading.subject and all(patients):
        return patients
    return subjects.of(paths, reading)


def _acquisition(file: Path, path: str) -> tuple[Acquisition, str]:
    """What a file's header and its middle slice say, and the patient's number in it."""
    about: dict[str, Any] = {}
    if file.suffix.lower() == ".npy":
        stored = np.load(file, mmap_mode="r").shape
        shape = {2: (1, 1, *stored), 3: (1, *stored), 4: stored}.get(len(stored))
    else:
        about = _opened(file, _header)
        stored = about["shape"]
        shape = {3: (stored[0], 1, *stored[1:]), 4: stored}.get(len(stored))
    if shape is None or min(shape) < 1 or min(shape[2:]) < 16:
        raise CourseError(
            f"its k-space has the shape {stored}; (slices, coils, rows, columns) is needed, "
            "16 x 16 or more"
        )
    slices, coils, rows, columns = (int(n) for n in shape)
    middle = _slice(file, (slices, coils, rows, columns), slices // 2)
    energy = (np.abs(middle) ** 2).sum(0)
    _check_full(energy)
    kept = about.get("kept") or _without_oversampling(rows, columns)
    kept = (min(kept[0], rows), min(kept[1], columns))
    field = about.get("field_mm")
    pixel_mm = None if field is None else (field[0] / kept[0], field[1] / kept[1])
    name = path.rpartition(".")[0]
    found = Acquisition(
        name, name, file, (slices, coils, rows, columns), kept, pixel_mm, _cornered(energy)
    )
    return found, about.get("patient", "")


def _slice(file: Path, shape: tuple[int, int, int, int], number: int) -> np.ndarray:
    """complex64 (coils, rows, columns) as stored."""
    if file.suffix.lower() == ".npy":
        samples = np.load(file, mmap_mode="r").reshape(shape)[number]
    else:
        samples = _opened(file, lambda opened: opened["kspace"][number]).reshape(shape[1:])
    samples = np.asarray(samples, np.complex64)
    if not np.isfinite(samples).all():
        raise CourseError(f"{file.name} holds NaN or infinite samples in slice {number}")
    if not samples.any():
        raise CourseError(f"{file.name} holds nothing but zeros in slice {number}")
    return samples


def _opened(file: Path, use: Callable[[Any], Any]) -> Any:
    """What `use` makes of an opened HDF5 file.

    Raises CourseError when h5py is not installed or cannot read it.
    """
    try:
        import h5py
    except ImportError as error:
        raise CourseError(
            f"{file.name} is an HDF5 file, and reading it needs h5py: pip install h5py"
        ) from error
    try:
        with h5py.File(file, "r") as opened:
            return use(opened)
    except CourseError:
        raise
    except Exception as error:  # h5py hands on what its C library says, in many kinds of error
        raise CourseError(f"{file.name} cannot be read as HDF5: {error}") from error


def _header(opened: Any) -> dict[str, Any]:
    """Of fastMRI's files: shape, kept rows and columns, field in mm, patient."""
    if "kspace" not in opened or not np.issubdtype(opened["kspace"].dtype, np.complexfloating):
        raise CourseError(
            f"it holds no complex array 'kspace', but {tables.listed(opened)}. Expected: the form "
            "of fastMRI"
        )
    about: dict[str, Any] = {"shape": tuple(opened["kspace"].shape)}
    patient = opened.attrs.get("patient_id", "")
    about["patient"] = patient.decode() if isinstance(patient, bytes) else str(patient)
    for name in ("reconstruction_rss", "reconstruction_esc"):
        if name in opened:
            about["kept"] = tuple(int(n) for n in opened[name].shape[-2:])
    if "ismrmrd_header" in opened:
        about |= _recon_space(opened["ismrmrd_header"][()])
    return about


def _recon_space(header: bytes | str) -> dict[str, Any]:
    """Field of view (rows, columns) in mm from the ISMRMRD header, whose x is the readout."""
    text = header.decode("utf-8", "replace") if isinstance(header, bytes) else str(header)
    space = re.search(r"<reconSpace>.*?</reconSpace>", text, re.S)
    view = re.search(r"<fieldOfView_mm>(.*?)</fieldOfView_mm>", space[0], re.S) if space else None
    sides = re.findall(r"<[xy]>\s*([\d.eE+-]+)\s*</[xy]>", view[1]) if view else []
    return {"field_mm": (float(sides[0]), float(sides[1]))} if len(sides) == 2 else {}


def _without_oversampling(rows: int, columns: int) -> tuple[int, int]:
    """Twice as many rows as columns: the readout was sampled twice as densely as the picture needs,
    which makes its field twice as long."""
    return (rows // 2 if 1.8 <= rows / columns <= 2.2 else rows), columns


def _check_full(energy: np.ndarray) -> None:
    """Raises CourseError when samples are missing inside the measured part of k-space."""
    rows, columns = np.flatnonzero(energy.any(1)), np.flatnonzero(energy.any(0))
    inside = energy[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if (empty := float((inside == 0).mean())) > GAPS:
        raise CourseError(
            f"{empty:.0%} of the samples inside its k-space are zero: it was measured with gaps. "
            "Full k-space is needed as truth"
        )


def _cornered(energy: np.ndarray) -> bool:
    """Whether frequency zero, where most energy lies, is stored first instead of in the middle.

    Raises CourseError when it lies at neither place.
    """
    centred = []
    for axis in (0, 1):
        line = energy.sum(1 - axis)
        place = int(line.argmax()) / len(line)
        if 0.15 < place < 0.35 or 0.65 < place < 0.85:
            raise CourseError(
                f"most energy lies at {place:.0%} of axis {axis}: frequency zero is expected in "
                "the middle or first"
            )
        centred.append(0.35 <= place <= 0.65)
    if centred[0] != centred[1]:
        raise CourseError("frequency zero is in the middle of one axis and first on the other")
    return not centred[0]


def _notes(acquired: list[Acquisition]) -> list[str]:
    """How the files were understood."""
    counts = sorted({a.shape[1] for a in acquired})
    notes = [f"k-space of {tables.listed(map(str, counts))} coils; columns are phase encoding."]
    if cropped := [a for a in acquired if a.kept != a.shape[2:]]:
        first = cropped[0]
        notes.append(
            f"Pictures of {len(cropped)} files are cropped, as {first.shape[2]} x {first.shape[3]} "
            f"to {first.kept[0]} x {first.kept[1]}: the readout is oversampled."
        )
    if any(a.cornered for a in acquired):
        notes.append("Frequency zero is stored first; it is moved to the middle.")
    if any(a.pixel_mm is None for a in acquired):
        notes.append(UNKNOWN)
    return notes
