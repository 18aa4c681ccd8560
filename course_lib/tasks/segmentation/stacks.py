"""Stacks of slices with label maps, and those of real scans."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts, join
from course_lib.data.volume import Volume
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


def labelled(
    image: Tensor,
    label: Tensor,
    window: Tensor,
    structures: Sequence[str],
    spacing_mm: Sequence[float],
    *,
    case: Sequence[str],
    subject: Sequence[str],
    group: str,
    provenance: dict[str, str],
) -> Cases:
    """Stacks with their label maps as Cases.

    Arguments:
        image, label: (N, 1, D, H, W).
        window: (N, 2) or (2,), the values shown black and white.
        structures: names of the labels 1, 2, …
        spacing_mm: of all stacks, along z, y, x.
    """
    count, spacing = len(image), tuple(spacing_mm)
    return Cases(
        tensors={"image": image, "label": label, "window": window.expand(count, 2).contiguous()},
        case=case,
        subject=subject,
        group=[group] * count,
        spacing_mm=torch.tensor(spacing).expand(count, 3),
        provenance=provenance,
        facts=Facts(
            dims=3,
            channels=1,
            classes=len(structures) + 1,
            structures=tuple(structures),
            spacing_mm=spacing,
        ),
    )


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
        organs = scan.labels["organs"], table, tuple(ORGANS)
        made[part] = _stacks(scan, *organs, starts, pixels, CHEST_MM, group, about)
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
        side = pixels // 16 * 16
        return _stacks(patient, gtv, table, ("tumour",), starts, side, TUMOUR_MM, group, about)

    return Splits(
        train=join([part(without + 2, "training", 2), part(without + 3, "training", 2)]),
        validation=part(without + 1, "validation", DEPTH),
        test=part(without, OTHERS, DEPTH),
    )


def _stacks(
    volume: Volume,
    label: np.ndarray,
    table: np.ndarray,
    structures: Sequence[str],
    starts: list[int],
    pixels: int,
    field_mm: float,
    group: str,
    about: str,
) -> Cases:
    """Stacks of DEPTH slices from `starts` on, of a CT and its label map (z, y, x), whose numbers
    `table` translates to those of `structures`; the middle `field_mm` of each slice on a square of
    `pixels`."""
    classes, pixel_mm = len(structures) + 1, field_mm / pixels
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
    return labelled(
        image,
        found,
        torch.tensor(HU_WINDOW),
        structures,
        (volume.spacing_mm[0], pixel_mm, pixel_mm),
        case=[f"{volume.subject}/z{z:03d}" for z in starts],
        subject=[volume.subject] * len(starts),
        group=group,
        provenance={"image": "measured HU, resampled in-plane", "label": about},
    )


def _square(image: Tensor, pixels: int, outside: float) -> Tensor:
    """The middle `pixels` x `pixels` of (n, 1, H, W), filled with `outside` where there is none."""
    height, width = image.shape[2:]
    top, left = (pixels - height) // 2, (pixels - width) // 2
    edges = (left, pixels - width - left, top, pixels - height - top)
    return F.pad(image, edges, value=outside)
