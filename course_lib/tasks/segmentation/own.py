"""Segmentation of the user's own volumes: label maps of any structures, split by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.data.volume import Head, Volume
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Splits
from course_lib.tasks.segmentation import stacks, structures

MOST_STRUCTURES = 20


class Budget(NamedTuple):
    """At most how many voxels a volume gets, and how many all together that train, validate and
    test; and how many volumes."""

    volume: int
    train: int
    validation: int
    test: int
    number: int = 10**9


BUDGETS = {
    "smoke": Budget(30_000, 90_000, 30_000, 60_000, 3),
    "class": Budget(600_000, 48_000_000, 2_000_000, 24_000_000),
    "full": Budget(7_000_000, 400_000_000, 40_000_000, 200_000_000),
}


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts the volumes that lie at `path:…` into stacks."""
    return own_cases(own.read(dataset), profile, seed, own.parse(dataset)[1].skip)


def own_cases(data: own.OwnData, profile: str, seed: int, skip: bool = False) -> Splits:
    """The user's volumes with label maps, in the given split, or else split by subject: about 60,
    20 and 20 %."""
    return of_scans(data, BUDGETS[profile], skip)


def of_scans(data: own.OwnData, budget: Budget, skip: bool = False) -> Splits:
    """The user's volumes with label maps as stacks of one shape and one spacing.

    All are brought to their median spacing, or a coarser one if the median volume would have more
    voxels than the budget holds, and continued at their ends to the largest one's sides. Labels are
    renumbered from the largest structure to the smallest, in the training subjects; those that
    only others have come last, and can only be missed. What is named but in no map is no structure.

    Arguments:
        skip: leave out what has no label map, and volumes of another size than all others.
    Raises CourseError for anything but volumes with a map of at least two labels.
    """
    data = own.expect(data, own.Scans, "segmentation")
    known, notes = _usable(data, skip)
    subjects = [head.subject for _, head in known]
    members = own.divided(data, [head.case for _, head in known], subjects)
    grid = _common_grid([head for _, head in known], budget.volume)
    voxels = int(np.prod(grid.shape))
    most = {p: min(budget.number, max(1, getattr(budget, p) // voxels)) for p in members}
    kept = own_use.chosen(members, subjects, most)
    made = {
        part: [_taken(data.volumes[known[row][0]], grid) for row in rows]
        for part, rows in kept.items()
    }
    table, lacking = _table(made, data)
    notes = [
        *notes,
        own_use.used(own_use.sizes(kept), own_use.sizes(members), "volumes"),
        grid.said,
        *lacking,
    ]
    return Splits(
        **{part: _cases(stackful, part, grid, table, data) for part, stackful in made.items()},
        notes=(*data.told(), *notes),
    )


def _usable(data: own.Scans, skip: bool) -> tuple[list[tuple[int, Head]], list[str]]:
    """The volumes that can be used, each with its place among all, and sentences on the others.

    Raises CourseError that names all of them unless they may be left out.
    """
    known = list(enumerate(data.heads))
    bare = [head.case for _, head in known if "label" not in head.labels]
    if bare and not (skip and len(bare) < len(known)):
        raise CourseError(
            f"{listed(bare)} in {data.source}: {len(bare)} of {len(known)} volumes have no label "
            "map. Expected: a Decathlon folder, or `images/` and `labels/` with equal file names; "
            "--skip leaves them out."
        )
    known = [(place, head) for place, head in known if head.case not in set(bare)]
    if len(units := {head.unit: head.case for _, head in known}) > 1:
        said = " and ".join(f"{case} holds {unit}" for unit, case in units.items())
        raise CourseError(f"{said}; one network reads one unit. Say --unit HU or a.u.")
    large = set(own_use.far_larger(data, [head for _, head in known], skip))
    notes = [f"Left out: {listed(bare)}: no label map."] if bare else []
    notes += [f"Left out: {listed(sorted(large))}: far larger than all others."] if large else []
    return [(place, head) for place, head in known if head.case not in large], notes


@dataclass(frozen=True)
class Grid:
    """Spacing in mm and sides in voxels on which all volumes fit, and a sentence on them."""

    spacing: tuple[float, ...]
    shape: tuple[int, ...]
    said: str


def _common_grid(known: Sequence[Head], most: int) -> Grid:
    """The median spacing; coarser, its finest sides first, where the median volume would have more
    than `most` voxels, or the largest four times as many. Sides are multiples of 8, but fewer
    slices than that, as of a picture, stay as few."""
    native = np.median([head.spacing_mm for head in known], 0)
    extents = np.array([head.extent_mm for head in known])
    usual, largest = np.median(extents, 0), extents.max(0)

    def fits(finest: float) -> bool:
        spacing = np.maximum(native, finest)
        return np.prod(usual / spacing) <= most and np.prod(largest / spacing) <= 4 * most

    finest = float(native.min())
    while not fits(finest):
        finest *= 1.02
    spacing = np.maximum(native, finest)
    voxels = np.ceil(np.round(largest / spacing, 3)).astype(int)
    sides = np.ceil(voxels / 8).astype(int) * 8
    sides[0] = voxels[0] if voxels[0] < 8 else sides[0]
    mm = own_use.millimetres
    said = f"Voxels are {mm(spacing.tolist())} (z, y, x), the median of the files."
    if finest > native.min():
        said = (
            f"Voxels are {mm(spacing.tolist())} (z, y, x) instead of {mm(native.tolist())}, the "
            f"median of the files, so that a volume has about {most:,} at most."
        )
    return Grid(tuple(spacing.tolist()), tuple(sides.tolist()), said)


class Taken(NamedTuple):
    """A volume on the common grid, (1, 1, D, H, W), its labels as the user numbers them, and how
    many voxels of each the file holds."""

    case: str
    subject: str
    unit: str
    image: Tensor
    label: Tensor
    counts: dict[int, int]


def _taken(volume: Volume, grid: Grid) -> Taken:
    """One volume, read, counted and brought to the grid, so that its voxels need not be kept."""
    label = np.rint(volume.labels["label"])
    numbers, counts = np.unique(label, return_counts=True)
    return Taken(
        volume.case,
        volume.subject,
        volume.unit,
        _resampled(volume, volume.image, grid, "trilinear"),
        _resampled(volume, label, grid, "nearest-exact").to(torch.int32),
        {int(number): int(count) for number, count in zip(numbers, counts, strict=True) if number},
    )


def _table(
    made: Mapping[str, Sequence[Taken]], data: own.Scans
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Label number of the user's → 1, 2, …, the structure with the most voxels in training first,
    then those that only others hold; and sentences on what is missing."""
    counts: dict[int, int] = {}
    for part, taken in made.items():
        for one in taken:
            for number, count in one.counts.items():
                counts[number] = counts.get(number, 0) + (count if part == "train" else 0)
    if not any(counts.values()):
        raise CourseError(
            f"The label maps in {data.source} that train hold nothing but 0, the background. "
            "Expected: whole numbers, one for each structure."
        )
    if len(counts) > MOST_STRUCTURES:
        raise CourseError(
            f"The label maps in {data.source} hold {len(counts)} numbers: are they images? "
            f"Expected: at most {MOST_STRUCTURES} structures."
        )
    ordered = sorted(counts, key=lambda number: (-counts[number], number))
    unseen = [_name(data, number) for number in ordered if not counts[number]]
    absent = [name for number, name in data.names.items() if number not in counts]
    notes = [f"Not in any training volume, so it can only be missed: {listed(unseen)}."]
    notes += [f"Named, but in none of the maps used: {listed(absent)}."]
    said = tuple(note for note, names in zip(notes, (unseen, absent), strict=True) if names)
    return {number: k for k, number in enumerate(ordered, 1)}, said


def _name(data: own.Scans, number: int) -> str:
    return data.names.get(number, f"label {number}")


def _cases(
    taken: Sequence[Taken], part: str, grid: Grid, table: Mapping[int, int], data: own.Scans
) -> Cases:
    """The volumes of a part with their labels renumbered."""
    groups = {"train": "training", "validation": "validation", "test": stacks.OTHERS}
    image = torch.cat([one.image for one in taken])
    found = torch.cat([one.label for one in taken])
    label = torch.zeros_like(found, dtype=torch.uint8)
    for number, new in table.items():
        label[found == number] = new
    return stacks.labelled(
        image,
        label,
        torch.tensor(stacks.HU_WINDOW) if taken[0].unit == "HU" else stacks.mr_window(image),
        [_name(data, number) for number in table],
        grid.spacing,
        case=[one.case for one in taken],
        subject=[one.subject for one in taken],
        group=groups[part],
        provenance={"image": data.provenance, "label": data.provenance},
    )


def _resampled(scan: Volume, values: np.ndarray, grid: Grid, mode: str) -> Tensor:
    """A volume's values (z, y, x) on the common grid, (1, 1, D, H, W), its middle in the middle."""
    given = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    sides = [
        min(side, max(1, round(n * mm / new)))
        for n, mm, new, side in zip(
            values.shape, scan.spacing_mm, grid.spacing, grid.shape, strict=True
        )
    ]
    if mode == "trilinear":  # what a coarse voxel holds is a mean, so it is smoothed first
        flat = F.interpolate(given[0].transpose(0, 1), sides[1:], mode="bilinear", antialias=True)
        given = flat.transpose(0, 1)[None]
    given = F.interpolate(given, sides, mode=mode)
    edges = []
    for have, side in list(zip(sides, grid.shape, strict=True))[::-1]:
        edges += [(side - have) // 2, side - have - (side - have) // 2]
    outside = float(given.min()) if mode == "trilinear" else 0.0
    return F.pad(given, edges, value=outside)


QUESTION = replace(
    structures.QUESTION,
    id="own",
    title="Segmentation of your own volumes",
    sources={PATH: ()},
    make=make,
    kinds=(),
)
