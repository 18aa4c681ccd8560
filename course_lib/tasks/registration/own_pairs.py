"""Pairs to register from the user's own pictures or volumes: different people, no true field.

Every image is put in the middle of a common square (or cube) of pixels, brightness scaled by its
98th percentile. What nobody labelled can only be scored by likeness, folds and consistency.
"""

from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import Cases
from course_lib.data import own
from course_lib.errors import CourseError

OTHERS, TO_KNOWN = "pairs of test subjects", "a test subject to training subjects"


def own_pairs(data: own.OwnData, side: int, side_3d: int, most: int) -> dict[str, Cases]:
    """`train`, `validation`, `test` → pairs, split by subject (`subject_split`).

    Training pairs are of training subjects. A lone validation or test subject is registered to
    training subjects, both ways; several test subjects to one another.

    Arguments:
        data: `Pictures` (2D) or `Scans` (3D, with or without label maps).
        side, side_3d: pixels along every axis. most: pairs of a part, at most.
    Returns cases with the tensors of `brain_pairs.between_donors`, but without landmarks.
    Raises CourseError for other data and for fewer than three subjects.
    """
    own.expect(data, (own.Pictures, own.Scans), "registration")
    if isinstance(data, own.Pictures):
        images, names = list(data.images), list(data.names)
        labels, spacings = [None] * len(images), [(1.0, 1.0)] * len(images)
    else:
        images = [volume.image for volume in data.volumes]
        names = [volume.subject for volume in data.volumes]
        labels = [volume.labels.get("label") for volume in data.volumes]
        spacings = [volume.spacing_mm for volume in data.volumes]
        side = side_3d
    extent = max(
        n * mm for image, size in zip(images, spacings, strict=True)
        for n, mm in zip(image.shape, size, strict=True)
    )  # fmt: skip
    about = list(zip(images, spacings, strict=True))
    grids = [_scaled(_fitted(image, mm, extent, side, "linear")) for image, mm in about]
    maps = [
        torch.zeros_like(grid) if label is None else _fitted(label, mm, extent, side, "nearest")
        for grid, label, mm in zip(grids, labels, spacings, strict=True)
    ]
    values = torch.unique(torch.stack(maps).round().long())
    structures = [int(v) for v in values if v > 0] or [1]
    members = parts(names)

    def part(which: str, group: str) -> Cases:
        mine, known = members[which], members["train"]
        couples = list(permutations(mine, 2))
        if which == "train" and not couples:
            raise CourseError(
                f"{data.source} gives one training subject, and a pair takes two. At least 4 "
                "subjects are needed to train a registration."
            )
        if not couples:
            couples = [pair for k in known for pair in ((mine[0], k), (k, mine[0]))]
            group = TO_KNOWN if which == "test" else group
        couples = couples[:: max(1, -(-len(couples) // most))]
        fixed, moving = [a for a, _ in couples], [b for _, b in couples]
        dims, count = grids[0].ndim, len(couples)

        def stack(what: list[Tensor], index: list[int]) -> Tensor:
            return torch.stack([what[k] for k in index])[:, None]

        spacing = torch.full((count, dims), extent / side)
        return Cases(
            tensors={
                "fixed": stack(grids, fixed),
                "moving": stack(grids, moving),
                "fixed_label": stack(maps, fixed).round().to(torch.uint8),
                "moving_label": stack(maps, moving).round().to(torch.uint8),
                "structures": torch.tensor(structures).repeat(count, 1),
                "spacing_mm": spacing,
            },
            case=[f"{names[a]}+{names[b]}" for a, b in couples],
            # The part's own subject, so that intervals count people and not pairs.
            subject=[names[a if a in mine else b] for a, b in couples],
            group=[group] * count,
            spacing_mm=spacing,
            provenance={"fixed": data.provenance, "moving": data.provenance},
        )

    return {
        "train": part("train", "training"),
        "validation": part("validation", "validation"),
        "test": part("test", OTHERS),
    }


def _fitted(image: np.ndarray, spacing, extent: float, side: int, mode: str) -> Tensor:
    """The image in the middle of a square or cube of `extent` mm, `side` pixels along each axis."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).float()
    low = float(tensor.min()) if mode == "linear" else 0.0
    size = [
        max(1, min(side, round(n * mm / extent * side)))
        for n, mm in zip(tensor.shape, spacing, strict=True)
    ]
    if mode == "nearest":
        small = F.interpolate(tensor[None, None], size, mode="nearest-exact")
    else:
        smooth = F.adaptive_avg_pool2d if tensor.ndim == 2 else F.adaptive_avg_pool3d
        small = smooth(tensor[None, None], size)
    pad: list[int] = []
    for count in reversed(size):
        before = (side - count) // 2
        pad += [before, side - count - before]
    return F.pad(small, pad, value=low)[0, 0]


def _scaled(image: Tensor) -> Tensor:
    low, high = image.min(), image.flatten()[:: max(1, image.numel() // 100_000)].quantile(0.98)
    return (image - low) / (high - low).clamp_min(1e-6)
