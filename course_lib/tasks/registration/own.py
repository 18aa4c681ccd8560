"""Registration of the user's own pictures or volumes: different people, no true field.

Every image is put in the middle of a common square (or cube) of pixels, brightness scaled by its
98th percentile. What nobody labelled can only be scored by likeness, folds and consistency.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases, Facts, parts
from course_lib.data import own
from course_lib.errors import CourseError
from course_lib.tasks.base import Question, Splits
from course_lib.tasks.registration import pairs

OTHERS, TO_KNOWN = "pairs of test subjects", "a test subject to training subjects"


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Pairs of what lies at `path:…`."""
    return own_cases(own.read(dataset), profile, seed)


@dataclass(frozen=True)
class People:
    """All subjects' images (n, 1, *space), label maps of the same shape, and what is fixed."""

    names: list[str]
    images: Tensor
    labels: Tensor
    provenance: str
    facts: Facts


def own_cases(data: own.OwnData, profile: str, seed: int) -> Splits:
    """Pairs of `Pictures` (2D) or `Scans` (3D, with or without label maps), split by subject.

    Training pairs are of training subjects. A lone validation or test subject is registered to
    training subjects, both ways; several test subjects to one another.

    Raises CourseError for other data and for fewer than four subjects.
    """
    data = own.expect(data, (own.Pictures, own.Scans), "registration")
    people, most = _people(data, pairs.SIZES[profile]), pairs.SIZES[profile].counts[0]
    members = parts(people.names)
    train, validation, test = members["train"], members["validation"], members["test"]
    if len(train) < 2:
        raise CourseError(
            f"{data.source} gives one training subject, and a pair takes two. At least 4 "
            "subjects are needed to train a registration."
        )
    tested = OTHERS if len(test) > 1 else TO_KNOWN
    return Splits(
        train=_pairs(people, train, train, most, "training"),
        validation=_pairs(people, validation, train, most, "validation"),
        test=_pairs(people, test, train, most, tested),
    )


def _people(data: own.Pictures | own.Scans, size: pairs.Size) -> People:
    """Everybody on one grid."""
    labels: list[np.ndarray | None]
    spacings: list[tuple[float, ...]]
    if isinstance(data, own.Pictures):
        images, names, side = list(data.images), list(data.names), size.pixels
        labels, spacings = [None] * len(images), [(1.0, 1.0)] * len(images)
    else:
        images = [volume.image for volume in data.volumes]
        names, side = [volume.subject for volume in data.volumes], size.pixels_3d
        labels = [volume.labels.get("label") for volume in data.volumes]
        spacings = [volume.spacing_mm for volume in data.volumes]
    extent = max(
        n * mm for image, spacing in zip(images, spacings, strict=True)
        for n, mm in zip(image.shape, spacing, strict=True)
    )  # fmt: skip
    about = list(zip(images, spacings, strict=True))
    grids = torch.stack([_scaled(_fitted(i, mm, extent, side, "linear")) for i, mm in about])
    maps = [
        torch.zeros_like(grid) if label is None else _fitted(label, mm, extent, side, "nearest")
        for grid, label, mm in zip(grids, labels, spacings, strict=True)
    ]
    numbers = torch.stack(maps).round().to(torch.uint8)
    dims = grids.ndim - 1
    facts = Facts(
        dims=dims,
        channels=1,
        spacing_mm=(float(extent / side),) * dims,
        structures=tuple(number for number in torch.unique(numbers).tolist() if number),
    )
    return People(names, grids[:, None], numbers[:, None], data.provenance, facts)


def _pairs(people: People, mine: list[int], known: list[int], most: int, group: str) -> Cases:
    """At most `most` pairs of the subjects `mine`, or of the only one with each of `known`."""
    couples = list(permutations(mine, 2))
    couples = couples or [pair for k in known for pair in ((mine[0], k), (k, mine[0]))]
    couples = couples[:: max(1, -(-len(couples) // most))]
    fixed, moving = [a for a, _ in couples], [b for _, b in couples]
    names = people.names
    return Cases(
        tensors={
            "fixed": people.images[fixed],
            "moving": people.images[moving],
            "fixed_label": people.labels[fixed],
            "moving_label": people.labels[moving],
        },
        case=[f"{names[a]}+{names[b]}" for a, b in couples],
        # The part's own subject, so that intervals count people and not pairs.
        subject=[names[a if a in mine else b] for a, b in couples],
        group=[group] * len(couples),
        spacing_mm=torch.tensor(people.facts.spacing_mm).repeat(len(couples), 1),
        provenance={"fixed": people.provenance, "moving": people.provenance},
        facts=people.facts,
    )


def _fitted(
    image: np.ndarray, spacing: tuple[float, ...], extent: float, side: int, mode: str
) -> Tensor:
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


QUESTION = Question(
    id="own",
    title="Registration of your own pictures or volumes",
    fields=pairs.FIELDS,
    facts=pairs.FACTS,
    headline="dissimilarity",
    metrics=pairs.METRICS,
    sources={PATH: ()},
    plans=pairs.PLANS,
    make=make,
    sample=pairs.sample,
    score=pairs.score,
    pictures=pairs.pictures,
    truth=pairs.truth,
)
