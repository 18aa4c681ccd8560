"""A real volume, in one orientation for all: rows go back, columns go left, slices up.

An array is indexed (z, y, x) and its axes point to the patient's head (superior), back (posterior)
and left: DICOM's LPS axes in reverse order. `image[k]` drawn with row 0 on top is the usual
radiological display: front of the body on top, the patient's right on the left of the picture.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HU_RANGE = (-1024, 3071)  # what 12 bits of a scanner hold; below lies only padding


@dataclass(frozen=True)
class Volume:
    """An image of a subject with its labels.

    image: float32 (z, y, x). spacing_mm, origin_mm: (z, y, x) distance between voxel centres and
    position of voxel 0's centre in LPS millimetres. labels: name → array on the same grid. unit of
    the image: 'HU' or 'a.u.' (arbitrary units). name: of the image; the subject's where a subject
    has one image only.
    """

    image: np.ndarray
    spacing_mm: tuple[float, float, float]
    subject: str
    unit: str
    origin_mm: tuple[float, float, float]
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    name: str = ""

    @property
    def case(self) -> str:
        """What tells this image from all others of the data set."""
        return self.name or self.subject


def nifti(file: Path, kind: type) -> tuple[np.ndarray, tuple, tuple]:
    """Array (z, y, x) in LPS order, spacing and origin (z, y, x) in LPS millimetres. Of a file with
    several volumes, the first."""
    import nibabel
    from nibabel import orientations

    stored = nibabel.load(file)
    if stored.ndim == 4:
        stored = stored.slicer[..., 0]
    values = (
        stored.get_fdata(dtype=np.float32)  # never in float64: a chest CT would need 280 MB
        if kind is np.float32
        else np.asanyarray(stored.dataobj)
    )
    turn = orientations.ornt_transform(
        orientations.io_orientation(stored.affine), orientations.axcodes2ornt("LPS")
    )
    affine = stored.affine @ orientations.inv_ornt_aff(turn, stored.shape)
    array = orientations.apply_orientation(values, turn).transpose(2, 1, 0)
    right, anterior, superior = affine[:3, 3]  # NIfTI's axes are RAS
    spacing = np.linalg.norm(affine[:3, 2::-1], axis=0)
    return (
        np.ascontiguousarray(array, dtype=kind),
        floats(*spacing),
        floats(superior, -anterior, -right),
    )


def fill_polygon(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """The pixels of a (rows, columns) grid whose centres lie inside a polygon, bool.

    corners: (k, 2) of (row, column), where whole numbers are pixel centres.
    """
    from skimage.draw import polygon2mask

    return polygon2mask(shape, corners)


def floats(*values: float) -> tuple[float, ...]:
    """Numbers of an image's header, to a millionth of a millimetre."""
    return tuple(round(float(value), 6) for value in values)
