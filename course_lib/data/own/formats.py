"""Files of volumes: headers and voxels of NIfTI, Analyze, FreeSurfer's, NRRD, MetaImage and npz.

nibabel and SimpleITK read them. A header is looked at before a voxel is read.
"""

import gzip
import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own import grids
from course_lib.data.own.grids import Grid
from course_lib.errors import CourseError

NIBABEL = (".nii.gz", ".nii", ".hdr", ".mgz", ".mgh")
SIMPLEITK = (".nrrd", ".nhdr", ".mha", ".mhd")
NUMPY = ".npz"  # VoxelMorph's: arrays, no header
IMAGE_NAMES, LABEL_NAMES = ("vol", "image"), ("seg", "label")
SUFFIXES = (*NIBABEL, *SIMPLEITK, NUMPY)
COMPANIONS = (".img", ".img.gz", ".raw", ".raw.gz", ".zraw")  # voxels whose header lies beside
MILLIMETRES = {1: 1000.0, 3: 0.001}  # NIfTI's units of length: metres, micrometres


def suffix_of(name: str) -> str:
    """The ending of a file of volumes, or nothing.

    >>> suffix_of("a.b.NII.GZ"), suffix_of("notes.txt")
    ('.NII.GZ', '')
    """
    end = next((end for end in SUFFIXES if name.lower().endswith(end)), "")
    return name[len(name) - len(end) :]


def read_header(file: Path) -> Grid:
    """The grid of a file.

    Raises CourseError when the file is broken, or holds anything but grey values on a grid whose
    axes stand at right angles.
    """
    if not file.is_file():
        raise CourseError(f"{file.name} is missing.")
    try:
        grid = _reader(file)(file)
    except CourseError:
        raise
    except Exception as error:  # each of the many formats has errors of its own
        raise CourseError(f"{file.name} cannot be read as a volume: {said(error)}.") from error
    grids.possible(grid)
    return grid


def read_voxels(grid: Grid, number: int, images: bool) -> np.ndarray:
    """The values (x, y, z) of a file's volume.

    Arguments:
        number: which of the file's volumes.
        images: float32; otherwise the file's own kind of number.
    Raises CourseError when the file is broken or too large.
    """
    try:
        if _reader(grid.file) is _of_nibabel:
            return _nibabel_voxels(grid, number, images)
        if _reader(grid.file) is _of_numpy:
            values = _numpy_voxels(grid, IMAGE_NAMES if images else LABEL_NAMES, number)
        else:
            values = _simpleitk_voxels(grid, number)
        return values.astype(np.float32) if images else values
    except CourseError:
        raise
    except MemoryError as error:
        raise CourseError(f"{grid.file.name} is larger than this machine's memory.") from error
    except Exception as error:  # as above
        raise CourseError(f"{grid.file.name} cannot be read: {said(error)}.") from error


def _reader(file: Path) -> Callable[[Path], Grid]:
    end = suffix_of(file.name).lower()
    return {**dict.fromkeys(SIMPLEITK, _of_simpleitk), NUMPY: _of_numpy}.get(end, _of_nibabel)


def is_volume(file: Path) -> bool:
    """Whether a file is one of volumes by its name; of arrays, by what it holds."""
    end = suffix_of(file.name).lower()
    return bool(end) and (end != NUMPY or _holds(file, IMAGE_NAMES))


def holds_label(file: Path) -> bool:
    """Whether a file of arrays holds a label map beside its image."""
    return suffix_of(file.name).lower() == NUMPY and _holds(file, LABEL_NAMES)


def _holds(file: Path, names: Sequence[str]) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return _member(archive, names) is not None
    except (OSError, zipfile.BadZipFile):
        return False


def said(error: Exception) -> str:
    """What a library said, in one line."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")


def _of_nibabel(file: Path) -> Grid:
    import nibabel

    with _quiet():
        stored: Any = nibabel.load(file)
    shape, volumes = grids.three(file, tuple(int(n) for n in stored.shape))
    dtype = stored.get_data_dtype()
    grids.real(file, dtype)
    needed = int(np.prod(stored.shape, dtype=object)) * dtype.itemsize
    grids.enough(Path(stored.file_map["image"].filename), needed)
    affine, known, spaced, torn = np.array(stored.affine, float), True, True, False
    if isinstance(stored, nibabel.Nifti1Pair | nibabel.Nifti2Pair):
        header = stored.header
        known = bool(int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0)
        spaced = bool(int(header["sform_code"]) > 0 or _has_spacing(stored))
        torn = _torn(header, shape)
        affine[:3] *= MILLIMETRES.get(int(header["xyzt_units"]) % 8, 1.0)
    elif isinstance(stored, nibabel.AnalyzeImage):
        known = False  # such files never say which side is left
    known = known and not np.array_equal(affine, np.eye(4))
    return Grid(file, shape, affine, volumes, known, not spaced, torn)


@contextmanager
def _quiet() -> Iterator[None]:
    """nibabel without its log: what it says there of headers is looked at here."""
    log = logging.getLogger("nibabel.global")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _torn(header: Any, shape: tuple[int, int, int]) -> bool:
    """Whether sform and qform are both given and put a corner half a voxel apart or more."""
    if not (int(header["sform_code"]) > 0 and int(header["qform_code"]) > 0):
        return False
    gap = header.get_sform() - header.get_qform()
    corners = np.array([(*np.array(k) * (np.array(shape) - 1), 1) for k in np.ndindex(2, 2, 2)])
    half = np.linalg.norm(header.get_sform()[:3, :3], axis=0).min() / 2
    return bool(np.linalg.norm((corners @ gap.T)[:, :3], axis=1).max() > half)


def _has_spacing(stored: Any) -> bool:
    """Whether the header has a voxel size; nibabel itself puts 1 mm where there is none."""
    holder = stored.file_map.get("header") or stored.file_map["image"]
    with holder.get_prepare_fileobj("rb") as opened:
        raw = stored.header_class.from_fileobj(opened, check=False)
    return bool((np.abs(raw["pixdim"][1:4]) > 0).all())


def _of_simpleitk(file: Path) -> Grid:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file))
    reader.ReadImageInformation()
    if reader.GetNumberOfComponents() > 1 or "complex" in _pixel(reader):
        raise CourseError(
            f"{file.name} holds {reader.GetNumberOfComponents()} values a voxel ({_pixel(reader)}):"
            " colours, vectors or layers. Expected: one real number a voxel."
        )
    shape, volumes = grids.three(file, tuple(int(n) for n in reader.GetSize()))
    dims = reader.GetDimension()
    used = min(dims, 3)
    axes, spacing, origin = np.eye(3), np.ones(3), np.zeros(3)
    axes[:used, :used] = np.reshape(reader.GetDirection(), (dims, dims))[:used, :used]
    spacing[:used], origin[:used] = reader.GetSpacing()[:used], reader.GetOrigin()[:used]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * spacing, origin
    plain = np.array_equal(affine, np.eye(4))
    nrrd = suffix_of(file.name).lower() in (".nrrd", ".nhdr")
    known = not plain and (not nrrd or "NRRD_space" in reader.GetMetaDataKeys())
    return Grid(file, shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, volumes, known)


def _pixel(reader: Any) -> str:
    import SimpleITK

    return SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())


def _nibabel_voxels(grid: Grid, number: int, images: bool) -> np.ndarray:
    import nibabel

    with _quiet():
        stored: Any = nibabel.load(grid.file)
        if not grid.file.name.lower().endswith(".nii.gz"):
            return _values(grid, stored, number, images)
        with gzip.open(grid.file) as opened:
            values = _values(grid, type(stored).from_stream(opened), number, images)
            while opened.read(2**20):  # to the end, where gzip's checksum stands
                pass
            return values


def _values(grid: Grid, stored: Any, number: int, images: bool) -> np.ndarray:
    if stored.ndim > 3:
        stored = stored.slicer[(..., number, *[0] * (stored.ndim - 4))]
    values = (
        stored.get_fdata(dtype=np.float32, caching="unchanged")  # float64 would double a CT
        if images
        else np.asanyarray(stored.dataobj)
    )
    return np.reshape(values, grid.shape)


def _simpleitk_voxels(grid: Grid, number: int) -> np.ndarray:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(grid.file))
    reader.ReadImageInformation()
    if len(size := reader.GetSize()) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        reader.SetExtractIndex([0, 0, 0, number, *[0] * (len(size) - 4)])
    values = SimpleITK.GetArrayFromImage(reader.Execute())
    return np.reshape(values.transpose(), grid.shape)


def _member(archive: zipfile.ZipFile, names: Sequence[str]) -> zipfile.ZipInfo | None:
    """The first array of one of these names."""
    found = {info.filename: info for info in archive.infolist()}
    return next((found[f"{name}.npy"] for name in names if f"{name}.npy" in found), None)


def _of_numpy(file: Path) -> Grid:
    """The grid of VoxelMorph's files: it has no header, so voxels of 1 mm are taken."""
    with zipfile.ZipFile(file) as archive:
        info = _member(archive, IMAGE_NAMES)
        if info is None:
            raise CourseError(f"{file.name} holds no array {' or '.join(IMAGE_NAMES)}.")
        with archive.open(info) as opened:
            version = np.lib.format.read_magic(opened)
            header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            sides, _, dtype = header(opened)
    shape, volumes = grids.three(file, tuple(int(n) for n in sides))
    grids.real(file, dtype)
    if int(np.prod(sides, dtype=object)) * dtype.itemsize > info.file_size:
        raise CourseError(f"{file.name} is cut off: its array has too few values.")
    return Grid(file, shape, np.eye(4), volumes, known=False, unspaced=True)


def _numpy_voxels(grid: Grid, names: Sequence[str], number: int) -> np.ndarray:
    with np.load(grid.file) as arrays:
        values = next(arrays[name] for name in names if name in arrays)
    if values.ndim == 4 and values.shape[-1] > 1:
        values = values[..., number]
    if values.size != np.prod(grid.shape):
        raise CourseError(f"{grid.file.name} holds {values.shape} and {grid.shape} voxels.")
    return values.reshape(grid.shape)
