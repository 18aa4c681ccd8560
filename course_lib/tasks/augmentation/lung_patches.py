"""Patches of lung with a nodule, sorted by what radiologists thought of it, and without any.

A patch is 34 mm wide, on 32 x 32 pixels. Shapes, ratings and the lung around are measured; the
nodule's own CT numbers are simulated from the radiologists' ratings. Made once, kept in the cache:
putting a nodule into a lung takes a twentieth of a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases, Facts
from course_lib.data import derived
from course_lib.data.lesions.patches import Lungs, lungs, nodule_patches
from course_lib.data.lesions.shapes import nodules
from course_lib.data.sets.lidc import Nodule
from course_lib.tasks.base import Plan

BENIGN, MALIGNANT = 2.5, 3.5
"""Mean ratings below and above count; what lies between is indeterminate and left out."""
FIELD, SIZE = 48, 32
"""Pixels of 0.703 mm that a patch covers, and pixels that it has."""
PIXEL_MM = 0.703125 * FIELD / SIZE
BACKGROUND = "LIDC-IDRI-0001"
"""The patient whose lungs lie around all nodules."""
GAP = 3  # slices between the lungs of training and of validation
WINDOW = (-1000.0, 400.0)
"""HU that are shown black and white."""


@dataclass(frozen=True)
class Size:
    """Nodules of each class in training's pool, labelled ones among them, nodules of each class in
    validation and in test, and healthy patches."""

    pool: int
    labelled: int
    validation: int
    test: int
    healthy: int


SIZES = {
    "smoke": Size(6, 4, 4, 6, 32),
    "class": Size(70, 50, 40, 90, 1000),
    "full": Size(70, 60, 40, 90, 8000),
}
PLANS = {
    "smoke": Plan(steps=4, batch=8, evaluations=1),
    "class": Plan(steps=800, batch=32, evaluations=2, seconds=60),
    "long": Plan(steps=12000, batch=32, evaluations=12, seconds=900),
    "full": Plan(steps=30_000, batch=64, evaluations=10),
}
"""The same for both questions."""


@dataclass(frozen=True)
class Part:
    """Patches of one part of a split; row k of `without` shows the place of row k of `image`.

    image, without: (n, 1, 32, 32) HU with the nodule, and before it was put there. mask: the same
    shape, share of each pixel inside the nodule. label: (n,) 0 benign, 1 malignant, alternating.
    nodule: n names `patient/nodule-number`. healthy: (m, 1, 32, 32) HU, other places of the same
    lung without nodules.
    """

    image: Tensor
    without: Tensor
    mask: Tensor
    label: Tensor
    nodule: Sequence[str]
    healthy: Tensor

    @property
    def patients(self) -> list[str]:
        """Whose nodule each row shows."""
        return [name.split("/")[0] for name in self.nodule]


def as_cases(tensors: dict[str, Tensor], names: Sequence[str], group: str, facts: Facts) -> Cases:
    """Patches as Cases; what stands before the slash in a case's name is its subject."""
    count = len(names)
    provenance = {
        "image": "measured lung, nodule simulated from a measured shape and ratings",
        "label": "measured: radiologists' mean opinion, or whether a nodule was put there",
        "mask": "measured shape, resampled",
    }
    return Cases(
        tensors=tensors,
        case=list(names),
        subject=[name.split("/")[0] for name in names],
        group=[group] * count,
        spacing_mm=torch.full((count, 2), PIXEL_MM),
        provenance={name: text for name, text in provenance.items() if name in tensors},
        facts=facts,
    )


def sorted_nodules() -> tuple[list[Nodule], list[Nodule]]:
    """(benign, malignant) nodules by the mean of at least three radiologists, of those that fit
    into a patch."""
    known = [n for n in nodules(3) if max(a.diameter_mm for a in n.annotations) < 0.6 * FIELD]
    rating = {id(n): np.mean([a.ratings["malignancy"] for a in n.annotations]) for n in known}
    benign = [n for n in known if rating[id(n)] < BENIGN]
    return benign, [n for n in known if rating[id(n)] > MALIGNANT]


def regions(room: Lungs) -> dict[str, Lungs]:
    """Lungs that share no slice of one lung: test in the right lung, training and validation in
    the lower and the upper part of the left one."""
    left, right, z = room.side == 1, room.side == 2, room.voxels[:, 0]
    middle = int(np.median(z[left]))
    kept = {
        "train": left & (z < middle),
        "validation": left & (z >= middle + GAP),
        "test": right,
    }
    return {
        name: replace(
            room,
            voxels=room.voxels[mask],
            wall_mm=room.wall_mm[mask],
            vessel_mm=room.vessel_mm[mask],
            side=room.side[mask],
        )
        for name, mask in kept.items()
    }


@lru_cache(maxsize=8)
def part(name: str, per_class: int, healthy: int) -> Part:
    """One part of the split by patient.

    Arguments:
        name: `train`, `validation` or `test`.
        per_class: nodules of each class, at most 70, 40 and 90.
        healthy: patches without nodule.
    """
    arrays = derived.kept(
        f"two_classes/{name}-{per_class}-{healthy}",
        lambda: _make(name, per_class, healthy),
        __name__,
    )
    names = arrays.pop("nodule").tolist()
    tensors = {key: torch.from_numpy(value).float() for key, value in arrays.items()}
    return Part(nodule=names, **tensors | {"label": tensors["label"].long()})


SHARES = {"train": (0.0, 0.35), "validation": (0.35, 0.55), "test": (0.55, 1.0)}
"""Of the patients, in their shuffled order."""


def _make(name: str, per_class: int, healthy: int) -> dict[str, np.ndarray]:
    room, number = regions(lungs())[name], list(SHARES).index(name)
    classes = sorted_nodules()
    patients = sorted({nodule.patient for known in classes for nodule in known})
    patients = np.random.default_rng(2020).permutation(patients).tolist()
    low, high = (round(share * len(patients)) for share in SHARES[name])
    own = set(patients[low:high])
    tensors: dict[str, list[Tensor]] = {"image": [], "background": [], "mask": []}
    names = []
    for label, known in enumerate(classes):
        among = [n for n in known if n.patient in own]
        cases = nodule_patches(per_class, FIELD, 10 * number + label, among=among, room=room)
        for key, values in tensors.items():
            values.append(_smaller(cases[key].float()))
        names.append([case.rsplit("/", 1)[0] for case in cases.case])
    woven = {key: torch.stack(values, 1).flatten(0, 1) for key, values in tensors.items()}
    return {
        "image": woven["image"].round().to(torch.int16).numpy(),
        "without": woven["background"].round().to(torch.int16).numpy(),
        "mask": woven["mask"].half().numpy(),
        "label": np.arange(2 * per_class) % 2,
        "nodule": np.array([name for pair in zip(*names, strict=True) for name in pair]),
        "healthy": _healthy(room, healthy, number).round().to(torch.int16).numpy(),
    }


def _healthy(room: Lungs, count: int, seed: int) -> Tensor:
    """(count, 1, 32, 32) HU at places where a nodule of 2 to 9 mm radius might lie: as in
    `lesions.place`, some of them at the wall."""
    drawn = np.random.default_rng(seed)
    image, half = room.volume.image, FIELD // 2
    patches = [np.empty((0, FIELD, FIELD), image.dtype)]
    y, x = room.voxels[:, 1], room.voxels[:, 2]
    inside = (np.minimum(y, x) >= half) & (y < image.shape[1] - half) & (x < image.shape[2] - half)
    while len(patches) <= count:
        radius = drawn.uniform(2, 9)
        fits = (room.wall_mm > radius + 1) & (room.vessel_mm > 0.7 * radius + 1)
        if drawn.random() < 0.2:
            fits = (room.wall_mm > 0.4 * radius) & (room.wall_mm < 0.9 * radius)
        found = np.flatnonzero(fits & inside)
        for pick in drawn.choice(found, min(8, len(found)), replace=False):
            z, row, column = room.voxels[pick].astype(int)
            box = slice(row - half, row + half), slice(column - half, column + half)
            patches.append(image[z, *box][None])
    return _smaller(torch.from_numpy(np.concatenate(patches)[:count]).float()[:, None])


def _smaller(patch: Tensor) -> Tensor:
    """(n, 1, 48, 48) → (n, 1, 32, 32), smoothed so that nothing is folded."""
    return F.interpolate(patch, size=(SIZE, SIZE), mode="bilinear", antialias=True)
