"""Whether an image and what belongs to it can be used: one grid, numbers that mean something."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from course_lib.data.own.grids import Grid
from course_lib.errors import CourseError

APART = 0.2  # of a voxel: how far two grids may lie apart at a corner
WHOLE = 0.01  # how far a label may lie from a whole number
MOST_CASES = 10
MOST_LABEL = 2**24  # what float32 still holds exactly
LEFT_HU = 0.0  # HU have values below: fat and air


def refuse(place: Path, bad: Mapping[str, str], count: int) -> None:
    """Raises CourseError that names all cases that cannot be used, if there are any."""
    if not bad:
        return
    said = {name: why.partition(". ") for name, why in bad.items()}
    told = [f"{name}: {why.rstrip('.')}" for name, (why, _, _) in list(said.items())[:MOST_CASES]]
    more = f"; and {len(bad) - MOST_CASES} more" if len(bad) > MOST_CASES else ""
    advice = list(dict.fromkeys(way.rstrip(".") for _, _, way in said.values() if way))[:3]
    raise CourseError(
        f"{len(bad)} of {count} cases in {place} cannot be used. {'; '.join(told)}{more}. "
        + "".join(f"{way}. " for way in advice)
        + "Mend them, or leave them out with --skip."
    )


def one_grid(image: Grid, other: Grid, word: str, resample: bool) -> bool:
    """Whether two files lie on one grid.

    Arguments:
        word: what the other is: label or target.
        resample: whether a label may be brought onto the image's grid.
    Returns False where it has to be. Raises CourseError when the two differ otherwise.
    """
    if same_shape(image, other) and apart(image, other) <= APART:
        return True
    both = (
        f"{_called(other)} and its image {_called(image)} do not lie on one grid: "
        f"{described(other)} against {described(image)}"
    )
    silent = [who for grid, who in ((other, "label"), (image, "image")) if not grid.known]
    if silent and word == "label":
        raise CourseError(
            f"{both}. The header of the {silent[0]} does not say where it lies (no sform or qform, "
            "or an identity): if both have the same voxels, save it again with the other's affine"
        )
    if resample and word == "label":
        return False
    way = " or take --resample-labels" if word == "label" else ""
    raise CourseError(f"{both}. Resample one onto the grid of the other first{way}")


def _called(grid: Grid) -> str:
    return f"{grid.file.parent.name}/{grid.file.name}"


def same_shape(image: Grid, other: Grid) -> bool:
    """Whether both have the same sides once turned."""
    return image.placed.shape == other.placed.shape


def apart(image: Grid, other: Grid) -> float:
    """The largest distance between two grids' corners, in the image's smallest voxel side."""
    sides = np.array(image.placed.shape[::-1]) - 1
    corners = np.array([*np.ndindex(2, 2, 2)]) * sides
    corners = np.concatenate([corners, np.ones((8, 1))], 1)
    gap = corners @ (image.placed.affine - other.placed.affine).T
    return float(np.linalg.norm(gap[:, :3], axis=1).max() / min(image.placed.spacing_mm))


def described(grid: Grid) -> str:
    """A grid in words."""
    from nibabel.orientations import aff2axcodes

    def rounded(values: tuple[float, ...]) -> str:
        return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"

    axes = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    tilt = np.degrees(np.arccos(min(1.0, np.abs(axes).max(0).min())))
    return (
        f"{rounded(grid.placed.shape)} voxels of {rounded(grid.placed.spacing_mm)} mm from "
        f"{rounded(grid.placed.origin_mm)} mm (z, y, x), stored {''.join(aff2axcodes(grid.affine))}"
        + (f", {tilt:.1f} degrees oblique" if tilt > 0.1 else "")
    )


def finite(values: np.ndarray, name: str) -> None:
    """Raises CourseError when an image holds NaN or infinite values."""
    wrong = ~np.isfinite(values)
    if count := int(wrong.sum()):
        first = tuple(int(k) for k in np.unravel_index(int(wrong.argmax()), wrong.shape))
        raise CourseError(
            f"{name} holds {count} voxels of {values.size} that are NaN or infinite, the first at "
            f"{first} (z, y, x). Put the value of air or of the background there"
        )


def hounsfield(values: np.ndarray, name: str) -> None:
    """Raises CourseError when values said to be HU cannot be."""
    if (least := float(values.min())) >= LEFT_HU:
        raise CourseError(
            f"{name} is said to be in HU, but its smallest value is {least:.4g}; air is -1000 HU "
            "and fat -100. Apply slope and intercept first, or say --unit a.u."
        )


def whole(values: np.ndarray, name: str) -> np.ndarray:
    """A label map as whole numbers: uint8 where they fit, otherwise int32.

    Raises CourseError when the values are no numbers of structures.
    """
    if values.dtype.kind == "f":
        finite(values, name)
        rounded = np.rint(values)
        off = np.abs(values - rounded)
        if off.max() > WHOLE:
            value = float(values.reshape(-1)[int(off.argmax())])
            raise CourseError(
                f"{name} holds {value:.6g}, which is no whole number: is it a label map? Expected: "
                "0 for the background, 1, 2 and so on for structures"
            )
        values = rounded
    low, high = values.min().item(), values.max().item()
    if low < 0 or high > MOST_LABEL:
        raise CourseError(
            f"{name} holds labels from {low} to {high}. Expected: 0 for the background "
            "and whole numbers above for structures"
        )
    return values.astype(np.uint8 if high < 256 else np.int32)


def moved(values: np.ndarray, label: Grid, image: Grid) -> np.ndarray:
    """A label map (x, y, z) on the grid of its image, each voxel the nearest one's number.

    Raises CourseError when a structure is lost: it lies outside the image, or is too small for it.
    """
    import SimpleITK

    def on(grid: Grid, array: np.ndarray) -> SimpleITK.Image:
        result = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.transpose()))
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine  # RAS to LPS
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        result.SetSpacing(spacing.tolist())
        result.SetOrigin(affine[:3, 3].tolist())
        result.SetDirection((affine[:3, :3] / spacing).reshape(-1).tolist())
        return result

    target = on(image, np.zeros(image.shape, np.uint8))
    nearest = SimpleITK.sitkNearestNeighbor
    found = SimpleITK.Resample(on(label, values), target, SimpleITK.Transform(3, 1), nearest)
    result = SimpleITK.GetArrayFromImage(found).transpose()
    if lost := sorted(set(np.unique(values).tolist()) - set(np.unique(result).tolist()) - {0}):
        raise CourseError(
            f"{label.file.name} loses its structures {lost[:5]} on the grid of {image.file.name}: "
            "they lie outside of it, or are smaller than its voxels"
        )
    return result
