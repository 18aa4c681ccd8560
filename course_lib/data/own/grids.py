"""Files of volumes: what a header says of the grid, and the voxels.

nibabel reads NIfTI, Analyze and FreeSurfer's files, SimpleITK reads NRRD and MetaImage. A header is
looked at before a voxel is read: what it claims must be possible, and its axes must stand at right
angles, since everything after has a spacing and nothing else.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.volume import Placed, lps
from course_lib.errors import CourseError

NIBABEL = (".nii.gz", ".nii", ".hdr", ".mgz", ".mgh")
SIMPLEITK = (".nrrd", ".nhdr", ".mha", ".mhd")
SUFFIXES = NIBABEL + SIMPLEITK
COMPANIONS = (".img", ".img.gz", ".raw", ".raw.gz", ".zraw")  # voxels whose header lies beside
MOST_VOXELS = 2**30  # 4 GiB as float32
GZIP = 1100  # gzip packs zeros 1,032 times as tight, nothing tighter
SKEW = 0.005  # cosine between two axes: 0.3 degrees
MILLIMETRES = {1: 1000.0, 3: 0.001}  # NIfTI's units of length: metres, micrometres


@dataclass(frozen=True)
class Grid:
    """What a file's header says.

    Arguments:
        shape: (x, y, z) as stored.
        affine: voxel (x, y, z) → RAS millimetres.
        volumes: how many lie in the file.
        known: whether the header says where the grid lies; if not, the affine is a convention.
        unspaced: whether the header has no voxel size, so that 1 mm is taken.
    """

    file: Path
    shape: tuple[int, int, int]
    affine: np.ndarray
    volumes: int = 1
    known: bool = True
    unspaced: bool = False

    @cached_property
    def placed(self) -> Placed:
        """How it lies once turned to LPS."""
        return lps(self.shape, self.affine)


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
    simple = suffix_of(file.name).lower() in SIMPLEITK
    try:
        grid = _of_simpleitk(file) if simple else _of_nibabel(file)
    except CourseError:
        raise
    except Exception as error:  # each of the many formats has errors of its own
        raise CourseError(f"{file.name} cannot be read as a volume: {said(error)}.") from error
    _possible(grid)
    return grid


def read_voxels(grid: Grid, number: int, images: bool) -> np.ndarray:
    """The values (x, y, z) of a file's volume.

    Arguments:
        number: which of the file's volumes.
        images: float32; otherwise the file's own kind of number.
    Raises CourseError when the file is broken or too large.
    """
    simple = suffix_of(grid.file.name).lower() in SIMPLEITK
    try:
        if simple:
            values = _simpleitk_voxels(grid, number)
            return values.astype(np.float32) if images else values
        return _nibabel_voxels(grid, number, images)
    except MemoryError as error:
        raise CourseError(f"{grid.file.name} is larger than this machine's memory.") from error
    except Exception as error:  # as above
        raise CourseError(f"{grid.file.name} cannot be read: {said(error)}.") from error


def said(error: Exception) -> str:
    """What a library said, in one line."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")


def _of_nibabel(file: Path) -> Grid:
    import nibabel
    from nibabel.imageglobals import LoggingOutputSuppressor

    with LoggingOutputSuppressor():  # what it would mend in silence is looked at here
        stored: Any = nibabel.load(file)
    shape, volumes = _three(file, tuple(int(n) for n in stored.shape))
    dtype = stored.get_data_dtype()
    if dtype.fields or dtype.kind not in "biuf":
        raise CourseError(
            f"{file.name} holds {_kind(dtype)}. Expected: one real number a voxel, such as grey "
            "values or magnitudes."
        )
    needed = int(np.prod(stored.shape, dtype=object)) * dtype.itemsize
    _enough(Path(stored.file_map["image"].filename), needed)
    affine, known, spaced = np.array(stored.affine, float), True, True
    if isinstance(stored, nibabel.Nifti1Pair | nibabel.Nifti2Pair):
        header = stored.header
        known = bool(int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0)
        spaced = bool(int(header["sform_code"]) > 0 or _has_spacing(stored))
        affine[:3] *= MILLIMETRES.get(int(header["xyzt_units"]) % 8, 1.0)
    elif isinstance(stored, nibabel.AnalyzeImage):
        known = False  # such files never say which side is left
    known = known and not np.array_equal(affine, np.eye(4))
    return Grid(file, shape, affine, volumes, known, not spaced)


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
    shape, volumes = _three(file, tuple(int(n) for n in reader.GetSize()))
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


def _three(file: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    """(x, y, z) and how many volumes; a picture is a volume of one slice."""
    whole = (*shape, 1) if len(shape) == 2 else shape
    while len(whole) > 3 and whole[-1] == 1:
        whole = whole[:-1]
    if not 3 <= len(whole) <= 4 or min(whole) < 1:
        raise CourseError(
            f"{file.name} has shape {shape}. Expected: (x, y, z), or (x, y, z, contrasts)."
        )
    if int(np.prod(whole[:3], dtype=object)) > MOST_VOXELS:
        raise CourseError(
            f"{file.name} claims {int(np.prod(whole[:3], dtype=object)):.3g} voxels, shape {shape};"
            f" at most {MOST_VOXELS:.3g} are read. Cut or coarsen it first."
        )
    return (whole[0], whole[1], whole[2]), whole[3] if len(whole) == 4 else 1


def _kind(dtype: np.dtype) -> str:
    if dtype.fields:
        return f"colours ({', '.join(dtype.fields)})"
    return "complex numbers" if dtype.kind == "c" else f"values of the kind {dtype}"


def _enough(file: Path, needed: int) -> None:
    """Raises CourseError when a file is too short for what its header claims."""
    have = file.stat().st_size
    packed = file.name.lower().endswith(("gz", ".mgz"))
    if needed > have * (GZIP if packed else 1):
        raise CourseError(
            f"{file.name} is cut off: its header claims {needed:,} bytes of voxels, the file has "
            f"{have:,}{' (packed)' if packed else ''}."
        )


def _possible(grid: Grid) -> None:
    """Raises CourseError for a grid that is none, or whose axes are not at right angles."""
    axes = grid.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    finite = bool(np.isfinite(grid.affine).all())
    if not finite or spacing.min() < 1e-6 or abs(np.linalg.det(axes / spacing)) < 1e-3:
        raise CourseError(
            f"{grid.file.name} has a header that gives no grid: from voxel to voxel the place "
            f"changes by {np.round(axes.T, 3).tolist()} mm (x, y, z). Write its sform or direction "
            "anew."
        )
    cosines = np.abs(np.triu((axes / spacing).T @ (axes / spacing), 1))
    if cosines.max() > SKEW:
        first, second = np.unravel_index(cosines.argmax(), (3, 3))
        off = 90 - np.degrees(np.arccos(cosines.max()))
        raise CourseError(
            f"{grid.file.name} has axes {'xyz'[first]} and {'xyz'[second]} that are {off:.1f} "
            "degrees off a right angle (a tilted gantry, or a header after an affine registration)."
            " Resample it onto a straight grid first."
        )


def _nibabel_voxels(grid: Grid, number: int, images: bool) -> np.ndarray:
    import gzip

    import nibabel
    from nibabel.imageglobals import LoggingOutputSuppressor

    with LoggingOutputSuppressor():
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
