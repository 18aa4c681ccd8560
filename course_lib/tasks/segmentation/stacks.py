"""What segmentation makes of real scans: stacks of slices with label maps. Not a task itself."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Batch, Cases, join
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.tasks.base import Splits

OTHERS, SAME_PATIENT = "other subjects", "same patient, held-out block"
ORGANS = {
    "lung": range(10, 15),
    "liver": (5,),
    "heart": (51,),
    "vertebrae": range(29, 47),
    "aorta": (52,),
    "oesophagus": (15,),
}
"""Structure → its numbers among the 89 labels of `chest_ct`."""
CHEST_BLOCKS = {  # slices of 2.5 mm; at least four (10 mm) lie unused between two parts
    "training": ((0, 20), (36, 60), (76, 92), (108, 132)),
    "validation": ((96, 104),),
    "test": ((24, 32), (64, 72)),
}
HU_WINDOW, DEPTH = (-500.0, 500.0), 8
CHEST_MM, TUMOUR_MM = 360.0, 128.0


def tensors(
    image: Tensor, label: Tensor, window: Tensor, classes: int, spacing_mm: Sequence[float]
) -> Batch:
    """A batch's tensors. `window` (N, 2) or (2,): the values shown black and white."""
    count = len(image)
    return {
        "image": image,
        "label": label,
        "window": window.expand(count, 2).contiguous(),
        "classes": torch.full((count,), classes),
        "spacing": torch.tensor(spacing_mm, dtype=torch.float32).expand(count, 3).contiguous(),
    }


def mr_window(image: Tensor) -> Tensor:
    """The 2nd and 99th percentile of each stack (N, 1, D, H, W): MR has no unit. (N, 2)."""
    ends = torch.tensor([0.02, 0.99])
    return torch.stack([torch.quantile(one.flatten()[::4], ends) for one in image])


def chest_organs(pixels: int) -> Splits:
    """Blocks of one patient's CT with organ labels that a model drew."""
    from course_lib.data.sets import chest_ct

    scan = chest_ct.load()
    table = np.zeros(256, np.uint8)
    for label, numbers in enumerate(ORGANS.values(), 1):
        table[list(numbers)] = label
    made = {}
    for part, blocks in CHEST_BLOCKS.items():
        step = 4 if part == "training" else DEPTH
        starts = [z for a, b in blocks for z in range(a, b - DEPTH + 1, step)]
        group = SAME_PATIENT if part == "test" else part
        about = "measured; labels drawn by a model, not by hand"
        organs = scan.labels["organs"]
        made[part] = _stacks(scan, organs, table, starts, pixels, CHEST_MM, group, about)
    return Splits(made["training"], made["validation"], made["test"])


def lung_tumours(pixels: int, without: int) -> Splits:
    """Patient `without` (1 to 4) tests, the next one validates, the other two train."""
    from course_lib.data.sets import lung_tumours

    patients, table = lung_tumours.load(), np.arange(2, dtype=np.uint8)

    def part(number: int, group: str, step: int) -> Cases:
        patient = patients[(number - 1) % 4]
        rows = patient.labels["gtv"].any((1, 2)).nonzero()[0]
        first, last = max(0, int(rows[0]) - 4), min(len(patient.image), int(rows[-1]) + 5)
        starts = list(range(first, max(first, last - DEPTH) + 1, step))
        gtv, about = patient.labels["gtv"], "measured; tumours outlined by experts"
        return _stacks(patient, gtv, table, starts, pixels // 16 * 16, TUMOUR_MM, group, about)

    return Splits(
        train=join([part(without + 2, "training", 2), part(without + 3, "training", 2)]),
        validation=part(without + 1, "validation", DEPTH),
        test=part(without, OTHERS, DEPTH),
    )


def _stacks(
    volume: Volume,
    label: np.ndarray,
    table: np.ndarray,
    starts: list[int],
    pixels: int,
    field_mm: float,
    group: str,
    about: str,
) -> Cases:
    """Stacks of DEPTH slices from `starts` on, of a CT and its label map (z, y, x), whose numbers
    `table` translates; the middle `field_mm` of each slice on a square of `pixels`."""
    classes, pixel_mm = int(table.max()) + 1, field_mm / pixels
    slices = sorted({z for start in starts for z in range(start, start + DEPTH)})
    place = {z: k for k, z in enumerate(slices)}
    sides = [round(n * volume.spacing_mm[1] / pixel_mm) for n in volume.image.shape[1:]]
    images, labels = [], []
    for z in slices:  # one by one: a whole scan in every class would take a gigabyte
        hu = torch.from_numpy(volume.image[z])[None, None].clamp(-1000, 1000)
        found = torch.from_numpy(table[label[z]]).long()
        shares = F.one_hot(found, classes).movedim(-1, 0).float()[None]
        hu, shares = (
            F.interpolate(x, size=sides, mode="bilinear", antialias=True) for x in (hu, shares)
        )
        images.append(_square(hu, pixels, -1000.0))
        labels.append(_square(shares.argmax(1, keepdim=True), pixels, 0).to(torch.uint8))
    index = torch.tensor([[place[start + k] for k in range(DEPTH)] for start in starts])
    image, found = (torch.cat(x)[index, 0][:, None] for x in (images, labels))
    count, spacing = len(starts), (volume.spacing_mm[0], pixel_mm, pixel_mm)
    return Cases(
        tensors=tensors(image, found, torch.tensor(HU_WINDOW), classes, spacing),
        case=[f"{volume.subject}/z{z:03d}" for z in starts],
        subject=[volume.subject] * count,
        group=[group] * count,
        spacing_mm=torch.tensor(spacing).expand(count, 3),
        provenance={"image": "measured HU, resampled in-plane", "label": about},
    )


def _square(image: Tensor, pixels: int, outside: float) -> Tensor:
    """The middle `pixels` x `pixels` of (n, 1, H, W), filled with `outside` where there is none."""
    height, width = image.shape[2:]
    top, left = (pixels - height) // 2, (pixels - width) // 2
    edges = (left, pixels - width - left, top, pixels - height - top)
    return F.pad(image, edges, value=outside)


def of_scans(data: own.OwnData, limit: Sequence[int], most: Sequence[int]) -> Splits:
    """The user's volumes with label maps as stacks of one shape and one spacing.

    All are brought to the median spacing, or a coarser one if the largest would not fit into
    `limit` voxels (D, H, W), and continued at their ends to the largest one's sides. Labels are
    renumbered from the largest structure to the smallest, in the training subjects.

    Arguments:
        most: how many subjects at most train, validate and test.
    Raises CourseError for anything but volumes with a map of at least two labels.
    """
    own.expect(data, own.Scans, "segmentation")
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
    table = _by_size([data.volumes[i].labels["label"] for i in kept["train"]], data)
    groups = {"train": "training", "validation": "validation", "test": OTHERS}

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
        ct = chosen[0].unit == "HU"
        window = torch.tensor(HU_WINDOW) if ct else mr_window(image)
        return Cases(
            tensors=tensors(image, label.to(torch.uint8), window, len(table) + 1, spacing),
            case=[volume.subject for volume in chosen],
            subject=[volume.subject for volume in chosen],
            group=[groups[word]] * len(chosen),
            spacing_mm=torch.tensor(spacing).expand(len(chosen), 3),
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


def _by_size(maps: list[np.ndarray], data: own.Scans) -> dict[int, int]:
    """Label number of the user's → 1, 2, …, the structure with the most voxels first."""
    counts: dict[int, int] = {number: 0 for number in data.names}
    for one in maps:
        for number, count in zip(*np.unique(np.rint(one), return_counts=True), strict=True):
            counts[int(number)] = counts.get(int(number), 0) + int(count)
    counts.pop(0, None)
    if not counts or not any(counts.values()):
        raise CourseError(
            f"The label maps in {data.source} hold nothing but 0, the background. Expected: whole "
            "numbers, one for each structure."
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
