"""A real volume, in one orientation for all: rows go back, columns go left, slices up.

An array is indexed (z, y, x) and its axes point to the patient's head (superior), back (posterior)
and left: DICOM's LPS axes in reverse order. `image[k]` drawn with row 0 on top is the usual
radiological display: front of the body on top, the patient's right on the left of the picture.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HU_RANGE = (-1024, 3071)  # what 12 bits of a scanner hold; below lies only padding


@dataclass(frozen=True)
class Volume:
    """An image of a subject with its labels.

    image: float32 (z, y, x). spacing_mm, origin_mm: (z, y, x) distance between voxel centres and
    position of voxel 0's centre in LPS millimetres. labels: name → array on the same grid. unit of
    the image: 'HU' or 'a.u.' (arbitrary units). name: of the image; the subject's where a subject
    has one image only. target_unit: of a label called target.
    """

    image: np.ndarray
    spacing_mm: tuple[float, float, float]
    subject: str
    unit: str
    origin_mm: tuple[float, float, float]
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    name: str = ""
    target_unit: str = "a.u."

    @property
    def case(self) -> str:
        """What tells this image from all others of the data set."""
        return self.name or self.subject

    @property
    def head(self) -> "Head":
        """The same without its voxels."""
        z, y, x = self.image.shape
        names = tuple(self.labels)
        return Head(self.case, self.subject, (z, y, x), self.spacing_mm, self.unit, names)


@dataclass(frozen=True)
class Head:
    """What is known of a volume before its voxels are read.

    case, subject, spacing_mm, unit: as of `Volume`. shape: (z, y, x). labels: their names.
    """

    case: str
    subject: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    unit: str
    labels: tuple[str, ...] = ()

    @property
    def extent_mm(self) -> tuple[float, ...]:
        """How far it reaches along (z, y, x)."""
        return tuple(n * mm for n, mm in zip(self.shape, self.spacing_mm, strict=True))


def nifti(file: Path, kind: type) -> tuple[np.ndarray, tuple, tuple]:
    """Array (z, y, x) in LPS order, spacing and origin (z, y, x) in LPS millimetres. Of a file with
    several volumes, the first."""
    import nibabel

    stored: Any = nibabel.load(file)
    if stored.ndim == 4:
        stored = stored.slicer[..., 0]
    values = (
        stored.get_fdata(dtype=np.float32)  # never in float64: a chest CT would need 280 MB
        if kind is np.float32
        else np.asanyarray(stored.dataobj)
    )
    placed = lps(stored.shape, stored.affine)
    array: np.ndarray = np.ascontiguousarray(placed.turned(values), dtype=kind)
    return array, placed.spacing_mm, placed.origin_mm


@dataclass(frozen=True)
class Placed:
    """How an array (x, y, z) lies once it is turned to (z, y, x) in LPS order.

    shape, spacing_mm, origin_mm: (z, y, x). affine: turned indices (x, y, z) → RAS millimetres.
    """

    shape: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    affine: np.ndarray
    turn: np.ndarray

    def turned(self, values: np.ndarray) -> np.ndarray:
        """The array in that order; a view, nothing is copied."""
        from nibabel import orientations

        return orientations.apply_orientation(values, self.turn).transpose(2, 1, 0)


def lps(shape: tuple[int, ...], affine: np.ndarray) -> Placed:
    """How an array (x, y, z) with its affine into RAS millimetres, as NIfTI has it, lies in LPS."""
    from nibabel import orientations

    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt("LPS")
    )
    after = affine @ orientations.inv_ornt_aff(turn, shape)
    sides = [shape[list(turn[:, 0]).index(axis)] for axis in (2, 1, 0)]
    right, anterior, superior = after[:3, 3]
    z, y, x = np.linalg.norm(after[:3, 2::-1], axis=0)
    origin = floats(superior, -anterior, -right)
    return Placed(tuple(sides), floats(z, y, x), origin, after, turn)


def fill_polygon(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """The pixels of a (rows, columns) grid whose centres lie inside a polygon, bool.

    corners: (k, 2) of (row, column), where whole numbers are pixel centres.
    """
    from skimage.draw import polygon2mask

    return polygon2mask(shape, corners)


def floats(a: float, b: float, c: float) -> tuple[float, float, float]:
    """Three numbers of an image's header, to a millionth of a millimetre."""
    return round(float(a), 6), round(float(b), 6), round(float(c), 6)
