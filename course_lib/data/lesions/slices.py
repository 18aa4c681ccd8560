"""Slices of real lung with nodules in them and a box around each: what a detector learns from."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from course_lib.data.lesions.grounds import Ground
from course_lib.data.lesions.insert import grid_size, put
from course_lib.data.lesions.shapes import Shape, nodules, shape
from course_lib.data.sets.lidc import Nodule
from course_lib.data.volume import Volume
from course_lib.errors import CourseError

DIAMETERS_MM = (6.0, 32.0)
COUNTS = (0, 1, 1, 1, 1, 1, 2, 2, 2, 3)  # nodules of a slice, equally likely
MOST = max(COUNTS)
ATTACHED, MARGIN, LUNG_SHARE = 0.2, 24, 0.2
SMALLEST = 3  # pixels along a side of a box


@lru_cache(maxsize=1)
def by_patient() -> dict[str, tuple[Nodule, ...]]:
    """Patient → nodules that at least three radiologists outlined, without the training scan's."""
    found: dict[str, list[Nodule]] = {}
    for nodule in nodules(min_raters=3):
        if nodule.patient != "LIDC-IDRI-0001":
            found.setdefault(nodule.patient, []).append(nodule)
    return {patient: tuple(theirs) for patient, theirs in found.items()}


@lru_cache(maxsize=2048)
def outline(patient: str, number: int) -> Shape | None:
    """The shape of a patient's nodule, None if it is too small or too large for the task."""
    nodule = by_patient()[patient][number]
    diameter = float(np.median([each.diameter_mm for each in nodule.annotations]))
    return shape(nodule) if DIAMETERS_MM[0] <= diameter <= DIAMETERS_MM[1] else None


class Drawer:
    """Draws nodules of some patients, in random order, none twice before all have been drawn."""

    def __init__(self, patients: Sequence[str], generator: torch.Generator) -> None:
        self.generator = generator
        self.known = [(p, k) for p in sorted(patients) for k in range(len(by_patient()[p]))]
        self.waiting: list[tuple[str, int]] = []

    def __call__(self) -> tuple[Nodule, Shape]:
        """The next nodule and its shape."""
        while True:
            if not self.waiting:
                order = torch.randperm(len(self.known), generator=self.generator)
                self.waiting = [self.known[k] for k in order.tolist()]
            patient, number = self.waiting.pop()
            if (found := outline(patient, number)) is not None:
                return by_patient()[patient][number], found


def nodule_slices(
    ground: Ground,
    rows: Sequence[int],
    drawer: Drawer,
    count: int,
    size: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Square pieces of slices, mostly lung, with no, one or a few nodules put into them.

    Arguments:
        ground: the patient. rows: the slices that may be used; each piece takes one.
        drawer: gives the nodules. count: pieces. size: pixels of 1 mm along a side.
    Returns
        image   (count, 1, size, size), HU
        boxes   (count, 3, 4): top, left, bottom, right in pixels; zeros where there is no nodule
        labels  (count, 3): 0 for a nodule, -1 where there is none
        ignore  (count, 1, 4): the patient's own lesion, if the slice shows it
        nodules (count, 3): number of the LIDC patient, -1 where there is none
        row     (count,): the slice
    """
    pieces = []
    for _ in range(count):
        pieces.append(_piece(ground, rows, drawer, size, generator))
    return {name: torch.stack([piece[name] for piece in pieces]) for name in pieces[0]}


def _piece(
    ground: Ground, rows: Sequence[int], drawer: Drawer, size: int, generator: torch.Generator
) -> dict[str, Tensor]:
    row, top, left = _window(ground, rows, size, generator)
    slab, (first, up, aside) = _slab(ground.volume, row, top, left, size)
    wanted = COUNTS[_whole(len(COUNTS), generator)]
    boxes, patients = torch.zeros(MOST, 4), torch.full((MOST,), -1)
    found = 0
    for _ in range(6 * wanted):
        if found == wanted:
            break
        nodule, form = drawer()
        place = _place(ground, row, (top, left, size), form, boxes[:found], generator)
        if place is None:
            continue
        centre = (place[0] - first, place[1] - up, place[2] - aside)
        try:
            image, mask = put(slab, form, nodule.ratings, centre, generator)
        except CourseError:  # it reaches beyond the scan
            continue
        box = _box(mask[row - first])
        if box is None:
            continue
        slab = Volume(image, slab.spacing_mm, slab.subject, "HU", slab.origin_mm)
        boxes[found] = box + torch.tensor([up - top, aside - left] * 2)
        patients[found] = int(nodule.patient[-4:])
        found += 1
    piece = slab.image[row - first, top - up :, left - aside :][:size, :size]
    known = ground.known[row, top : top + size, left : left + size]
    return {
        "image": torch.from_numpy(piece.copy())[None],
        "boxes": boxes,
        "labels": torch.where(patients < 0, -1, 0),
        "ignore": (torch.zeros(4) if (own := _box(known)) is None else own)[None],
        "nodules": patients,
        "row": torch.tensor(row),
    }


def _window(
    ground: Ground, rows: Sequence[int], size: int, generator: torch.Generator
) -> tuple[int, int, int]:
    """A slice and the corner of a window that holds lung enough, around a voxel of the lung."""
    height, width = ground.lung.shape[1:]
    for _ in range(200):
        row = int(rows[_whole(len(rows), generator)])
        inside = np.argwhere(ground.lung[row])
        if not len(inside):
            continue
        y, x = inside[_whole(len(inside), generator)]
        top, left = (
            int(np.clip(middle - size // 2, 0, extent - size))
            for middle, extent in ((y, height), (x, width))
        )
        if ground.lung[row, top : top + size, left : left + size].mean() > LUNG_SHARE:
            return row, top, left
    raise CourseError(f"{ground.volume.subject} shows too little lung in slices {list(rows)}.")


def _slab(
    volume: Volume, row: int, top: int, left: int, size: int
) -> tuple[Volume, tuple[int, int, int]]:
    """What lies around a window, copied, with the voxel where it begins."""
    low = [max(0, row - 12), max(0, top - MARGIN), max(0, left - MARGIN)]
    high = [row + 13, top + size + MARGIN, left + size + MARGIN]
    part = volume.image[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].copy()
    return Volume(part, volume.spacing_mm, volume.subject, "HU", volume.origin_mm), tuple(low)


def _place(
    ground: Ground,
    row: int,
    window: tuple[int, int, int],
    form: Shape,
    boxes: Tensor,
    generator: torch.Generator,
) -> tuple[int, int, int] | None:
    """A voxel (z, y, x) where the nodule has room and shows in the slice, away from the others."""
    top, left, size = window
    radius, shift = form.radius_mm, 2 * float(torch.rand(1, generator=generator)) - 1
    z = row + round(0.5 * shift * radius / ground.volume.spacing_mm[0])
    start, stop = np.searchsorted(ground.voxels[:, 0], [z, z + 1])
    wall, vessel = ground.wall_mm[start:stop], ground.vessel_mm[start:stop]
    if float(torch.rand(1, generator=generator)) < ATTACHED:
        fits = (wall > 0.4 * radius) & (wall < 0.9 * radius)
    else:
        fits = (wall > radius + 1) & (vessel > 0.7 * radius + 1)
    y, x = ground.voxels[start:stop, 1].astype(int), ground.voxels[start:stop, 2].astype(int)
    edge = int(radius) + 3
    fits &= (y >= top + edge) & (y < top + size - edge)
    fits &= (x >= left + edge) & (x < left + size - edge)
    for box in boxes.tolist():
        away = radius + 5
        fits &= (
            (y < top + box[0] - away)
            | (y > top + box[2] + away)
            | (x < left + box[1] - away)
            | (x > left + box[3] + away)
        )
    found = np.flatnonzero(fits)
    if not len(found) or (grid_size(form, ground.volume.spacing_mm)[1] // 2) > MARGIN + edge:
        return None
    pick = found[_whole(len(found), generator)]
    return z, int(y[pick]), int(x[pick])


def _box(mask: np.ndarray) -> Tensor | None:
    """The rectangle around a mask (y, x), or None if it is thinner than 3 pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) < SMALLEST or len(columns) < SMALLEST:
        return None
    return torch.tensor([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]).float()


def _whole(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (1,), generator=generator))
