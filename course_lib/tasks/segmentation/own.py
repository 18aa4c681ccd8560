"""Segmentation of the user's own volumes: label maps of any structures, split by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases, parts
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks.base import Splits
from course_lib.tasks.segmentation import stacks, structures
from course_lib.tasks.segmentation.structures import SIZES


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Cuts the volumes that lie at `path:…` into stacks."""
    return own_cases(own.read(dataset), profile, seed)


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """The user's volumes with label maps, split by subject: about 60, 20 and 20 %."""
    size = SIZES[profile]
    limit = (3 * size.piece_3d[0], size.pixels, size.pixels)
    return of_scans(data, limit, size.subjects)


def of_scans(data: own.OwnData, limit: Sequence[int], most: Sequence[int]) -> Splits:
    """The user's volumes with label maps as stacks of one shape and one spacing.

    All are brought to the median spacing, or a coarser one if the largest would not fit into
    `limit` voxels (D, H, W), and continued at their ends to the largest one's sides. Labels are
    renumbered from the largest structure to the smallest, in the training subjects; those that
    only others have come last, and can only be missed. What is named but in no map is no structure.

    Arguments:
        most: how many subjects at most train, validate and test.
    Raises CourseError for anything but volumes with a map of at least two labels.
    """
    data = own.expect(data, own.Scans, "segmentation")
    if lacking := [v.subject for v in data.volumes if "label" not in v.labels]:
        raise CourseError(
            f"{lacking[0]} in {data.source} has no label map. Expected: a Decathlon folder, or "
            "`images/` and `labels/` with equal file names."
        )
    members = parts([volume.subject for volume in data.volumes])
    kept = {
        part: members[part][:n] for part, n in zip(members, _by_part(members, most), strict=True)
    }
    spacing, shape = _common_grid([data.volumes[i] for n in kept.values() for i in n], limit)
    maps = [
        [data.volumes[i].labels["label"] for i in numbers]
        for numbers in (kept["train"], [*kept["validation"], *kept["test"]])
    ]
    table = _by_size(*maps, data)
    groups = {"train": "training", "validation": "validation", "test": stacks.OTHERS}

    def part(word: str) -> Cases:
        chosen = [data.volumes[i] for i in kept[word]]
        image = torch.cat([_resampled(v, v.image, spacing, shape, "trilinear") for v in chosen])
        maps = [_renumbered(v.labels["label"], table) for v in chosen]
        label = torch.cat(
            [
                _resampled(v, m, spacing, shape, "nearest-exact")
                for v, m in zip(chosen, maps, strict=True)
            ]
        )
        names = [volume.subject for volume in chosen]
        return stacks.labelled(
            image,
            label.to(torch.uint8),
            torch.tensor(stacks.HU_WINDOW) if chosen[0].unit == "HU" else stacks.mr_window(image),
            [data.names.get(number, f"label {number}") for number in table],
            spacing,
            case=names,
            subject=names,
            group=groups[word],
            provenance={"image": data.provenance, "label": data.provenance},
        )

    return Splits(part("train"), part("validation"), part("test"))


def _by_part(members: Mapping[str, list[int]], most: Sequence[int]) -> list[int]:
    limits = dict(zip(("train", "validation", "test"), most, strict=True))
    return [limits[part] for part in members]


def _common_grid(
    scans: list[Volume], limit: Sequence[int]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Spacing in mm and sides in voxels on which all volumes fit; sides are multiples of 8."""
    spacings = np.array([scan.spacing_mm for scan in scans])
    extent = (spacings * [scan.image.shape for scan in scans]).max(0)
    spacing = np.maximum(np.median(spacings, 0), extent / np.array(limit))
    sides = np.maximum(8, np.ceil(np.round(extent / spacing, 3) / 8).astype(int) * 8)
    return tuple(spacing.tolist()), tuple(sides.tolist())


def _by_size(train: list[np.ndarray], others: list[np.ndarray], data: own.Scans) -> dict[int, int]:
    """Label number of the user's → 1, 2, …, the structure with the most voxels in `train` first,
    then those that only `others` hold."""
    counts: dict[int, int] = {}
    for maps, share in ((train, 1), (others, 0)):
        for one in maps:
            for number, count in zip(*np.unique(np.rint(one), return_counts=True), strict=True):
                counts[int(number)] = counts.get(int(number), 0) + share * int(count)
    counts.pop(0, None)
    if not any(counts.values()):
        raise CourseError(
            f"The label maps in {data.source} that train hold nothing but 0, the background. "
            "Expected: whole numbers, one for each structure."
        )
    if len(counts) > 20:
        raise CourseError(
            f"The label maps in {data.source} hold {len(counts)} numbers: are they images? "
            "Expected: at most 20 structures."
        )
    ordered = sorted(counts, key=lambda number: (-counts[number], number))
    return {number: k for k, number in enumerate(ordered, 1)}


def _renumbered(label: np.ndarray, table: Mapping[int, int]) -> np.ndarray:
    result = np.zeros(label.shape, np.float32)
    for number, new in table.items():
        result[np.rint(label) == number] = new
    return result


def _resampled(
    scan: Volume, values: np.ndarray, spacing: Sequence[float], shape: Sequence[int], mode: str
) -> Tensor:
    """A volume's values (z, y, x) on the common grid, (1, 1, D, H, W), its middle in the middle."""
    given = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    sides = [
        min(side, max(1, round(n * mm / new)))
        for n, mm, new, side in zip(values.shape, scan.spacing_mm, spacing, shape, strict=True)
    ]
    if mode == "trilinear":  # what a coarse voxel holds is a mean, so it is smoothed first
        flat = F.interpolate(given[0].transpose(0, 1), sides[1:], mode="bilinear", antialias=True)
        given = flat.transpose(0, 1)[None]
    given = F.interpolate(given, sides, mode=mode)
    edges = []
    for have, side in list(zip(sides, shape, strict=True))[::-1]:
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
