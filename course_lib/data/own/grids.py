"""Where a file's voxels lie, and whether what its header claims can be.

Its axes must stand at right angles, since everything after has a spacing and nothing else.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from course_lib.data.volume import Placed, lps
from course_lib.errors import CourseError

MOST_VOXELS = 2**30  # 4 GiB as float32
GZIP = 1100  # gzip packs zeros 1,032 times as tight, nothing tighter
SKEW = 0.005  # cosine between two axes: 0.3 degrees


@dataclass(frozen=True)
class Grid:
    """What a file's header says.

    Arguments:
        shape: (x, y, z) as stored.
        affine: voxel (x, y, z) → RAS millimetres.
        volumes: how many lie in the file.
        known: whether the header says where the grid lies; if not, the affine is a convention.
        unspaced: whether the header has no voxel size, so that 1 mm is taken.
        torn: whether its two ways to say where it lies differ: the sform is taken, not the qform.
    """

    file: Path
    shape: tuple[int, int, int]
    affine: np.ndarray
    volumes: int = 1
    known: bool = True
    unspaced: bool = False
    torn: bool = False

    @cached_property
    def placed(self) -> Placed:
        """How it lies once turned to LPS."""
        return lps(self.shape, self.affine)


def three(file: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
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


def real(file: Path, dtype: np.dtype) -> None:
    """Raises CourseError for anything but real numbers, one a voxel."""
    if dtype.fields or dtype.kind not in "biuf":
        kinds = {"c": "complex numbers", "V": f"colours ({', '.join(dtype.fields or ())})"}
        raise CourseError(
            f"{file.name} holds {kinds.get(dtype.kind, f'values of the kind {dtype}')}. Expected: "
            "one real number a voxel, such as grey values or magnitudes."
        )


def enough(file: Path, needed: int) -> None:
    """Raises CourseError when a file is too short for what its header claims, in bytes."""
    have = file.stat().st_size
    packed = file.name.lower().endswith(("gz", ".mgz"))
    if needed > have * (GZIP if packed else 1):
        raise CourseError(
            f"{file.name} is cut off: its header claims {needed:,} bytes of voxels, the file has "
            f"{have:,}{' (packed)' if packed else ''}."
        )


def possible(grid: Grid) -> None:
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
