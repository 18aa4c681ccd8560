"""Registration of the user's own pictures or volumes: different people, no true field.

Every image is put in the middle of a common square (or cube) of pixels, brightness scaled by its
98th percentile. What nobody labelled can only be scored by likeness, folds and consistency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.cases import PATH, Cases, Facts
from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError
from course_lib.tasks import own_use
from course_lib.tasks.base import Question, Splits
from course_lib.tasks.registration import pairs

OTHERS, TO_KNOWN = "pairs of test subjects", "a test subject to training subjects"
FEW, LARGEST_LABEL = 4, 255
COUNTS = {
    "smoke": ((8, 2, 4), (2, 2, 2)),
    "class": ((512, 12, 40), (128, 4, 20)),
    "full": ((4000, 40, 200), (1000, 12, 80)),
}
"""At most how many pairs train, validate and test, in 2D and in 3D."""


def make(dataset: str, profile: str, seed: int) -> Splits:
    """Pairs of what lies at `path:…`."""
    return own_cases(own.read(dataset), profile, seed, own.parse(dataset)[1].skip)


class Couples(NamedTuple):
    """Pairs of positions (fixed, moving), and the part's own images among them."""

    pairs: list[tuple[int, int]]
    own: Sequence[int]


class Item(NamedTuple):
    """An image that may be read: its place among all, its name, whom it is of, its spacing."""

    place: int
    case: str
    subject: str
    spacing_mm: tuple[float, ...]


@dataclass(frozen=True)
class People:
    """Images (n, 1, *space) and label maps of the same shape by place, and what is fixed."""

    items: list[Item]
    images: dict[int, Tensor]
    labels: dict[int, Tensor]
    provenance: str
    facts: Facts


def own_cases(data: own.OwnData, profile: str, seed: int, skip: bool = False) -> Splits:
    """Pairs of `Pictures` (2D) or `Scans` (3D, with or without label maps), in the given split, or
    else split by subject.

    Training pairs are of training subjects. A lone validation or test subject is registered to
    training subjects, both ways; several test subjects to one another. Of fewer than four subjects
    all pairs are tested, and nothing is trained or chosen.

    Arguments:
        skip: leave out volumes that are far larger than all others.
    Raises CourseError for other data and for a single image.
    """
    data = own.expect(data, (own.Pictures, own.Scans), "registration")
    assert isinstance(data, own.Pictures | own.Scans)
    items, told = _items(data, skip)
    if len(items) < 2:
        raise CourseError(f"{data.source} holds one image, and a pair takes two.")
    solid = isinstance(data, own.Scans)
    couples, group, note = _couples(data, items, COUNTS[profile][solid])
    used = sorted({k for each in couples.values() for pair in each.pairs for k in pair})
    size = pairs.SIZES[profile]
    people, said = _people(data, items, used, size.pixels_3d if solid else size.pixels)
    groups = {"train": "training", "validation": "validation", "test": group}
    counts = ", ".join(f"{len(each.pairs)} {own_use.VERBS[part]}" for part, each in couples.items())
    notes = (*data.told(), *told, f"{note} Pairs: {counts}.", *said)
    return Splits(
        **{part: _pairs(people, each, groups[part]) for part, each in couples.items()}, notes=notes
    )


def _items(data: own.Pictures | own.Scans, skip: bool) -> tuple[list[Item], list[str]]:
    """What may be paired, and sentences on what may not."""
    if isinstance(data, own.Pictures):
        known = zip(data.names, data.subjects, strict=True)
        return [Item(k, name, who, (1.0, 1.0)) for k, (name, who) in enumerate(known)], []
    own_use.one_unit(data, data.heads)
    large = own_use.far_larger(data, data.heads, skip)
    items = [
        Item(k, head.case, head.subject, head.spacing_mm)
        for k, head in enumerate(data.heads)
        if head.case not in large
    ]
    return items, [f"Left out: {listed(large)}: far larger than all others."] if large else []


def _couples(
    data: own.OwnData, items: list[Item], most: tuple[int, int, int]
) -> tuple[dict[str, Couples], str, str]:
    """Part → pairs of positions in `items`, the test's group, and a sentence on the split."""
    subjects = [item.subject for item in items]
    everybody = list(range(len(items)))
    if len(set(subjects)) < FEW and not data.given:
        nobody = {part: Couples([], ()) for part in ("train", "validation")}
        note = (
            f"{len(set(subjects))} subjects are too few to train on ({FEW} are needed): all are "
            "tested on, and settings stay as they are."
        )
        return nobody | {"test": Couples(_ring(everybody, most[2]), everybody)}, OTHERS, note
    lack = ("train", "validation") if "train" not in data.given.values() else ()
    members = own.divided(data, [item.case for item in items], subjects, lack)
    if not members["train"] and len(members["test"]) < 2:
        raise CourseError(f"The split given for {data.source} leaves one image, a pair takes two.")
    found: dict[str, Couples] = {}
    for (part, rows), count in zip(members.items(), most, strict=True):
        known = members["train"]
        both = [pair for k in known for pair in ((rows[0], k), (k, rows[0]))] if rows else []
        of_part = _ring(rows, count) if len(rows) > 1 else both[:count]
        found[part] = Couples(of_part if part != "train" or len(rows) > 1 else [], rows)
    group = OTHERS if len(members["test"]) > 1 else TO_KNOWN
    images = own_use.sizes(members)
    return found, group, own_use.used(images, images, "images")


def _ring(rows: Sequence[int], most: int) -> list[tuple[int, int]]:
    """At most so many pairs: each image with the next, then with the one after it, and so on, so
    that few pairs are of many people."""
    count = len(rows)
    pairs = ((k, (k + step) % count) for step in range(1, count) for k in range(count))
    return [(rows[a], rows[b]) for a, b in islice(pairs, most)]


def _people(
    data: own.Pictures | own.Scans, items: list[Item], used: Sequence[int], side: int
) -> tuple[People, list[str]]:
    """Everybody used on one grid, read one after the other, and sentences on it."""
    images, labels, sides = {}, {}, []
    if isinstance(data, own.Scans):
        sides = [data.heads[items[k].place].extent_mm for k in used]
        extent = max(mm for each in sides for mm in each)
    else:
        extent = float(max(n for k in used for n in data.images[items[k].place].shape))
    bare = []
    for k in used:
        item, mm = items[k], items[k].spacing_mm
        if isinstance(data, own.Scans):
            volume = data.volumes[item.place]
            image, label = volume.image, volume.labels.get("label")
        else:
            image, label = data.images[item.place], None
        images[k] = _scaled(_fitted(image, mm, extent, side, "linear"))[None]
        bare += [item.case] if label is None else []
        drawn = 0 * images[k] if label is None else _fitted(label, mm, extent, side, "nearest")
        labels[k] = drawn.round().long().reshape(images[k].shape)
    numbers = sorted(set().union(*(torch.unique(one).tolist() for one in labels.values())) - {0})
    numbers = _renumbered(labels, numbers)
    dims = next(iter(images.values())).ndim - 1
    native = median(min(items[k].spacing_mm) for k in used)
    voxel = extent / side
    unit = "mm" if dims == 3 else "pixels"
    notes = [f"One grid of {side} a side: {voxel:.3g} {unit} a step instead of {native:.3g}."]
    if numbers and bare:
        notes.append(f"Without label map, so without Dice: {listed(bare)}.")
    facts = Facts(
        dims=dims, channels=1, spacing_mm=(float(voxel),) * dims, structures=tuple(numbers)
    )
    return People(items, images, labels, data.provenance, facts), notes


def _renumbered(labels: dict[int, Tensor], numbers: list[int]) -> list[int]:
    """The numbers of structures; from 1 on where the user's are too large for a byte."""
    if len(numbers) > LARGEST_LABEL:
        raise CourseError(
            f"The label maps hold {len(numbers)} numbers: are they images? Expected: at most "
            f"{LARGEST_LABEL} structures."
        )
    if numbers and (min(numbers) < 0 or max(numbers) > LARGEST_LABEL):
        known = torch.tensor([0, *numbers])
        order = known.argsort()
        for place, label in labels.items():
            labels[place] = order[torch.searchsorted(known[order], label)]
        numbers = list(range(1, len(numbers) + 1))
    for place, label in labels.items():
        labels[place] = label.to(torch.uint8)
    return numbers


def _pairs(people: People, couples: Couples, group: str) -> Cases:
    """The pairs as cases; none of them is a set of cases too."""
    items, facts, (of_part, mine) = people.items, people.facts, couples
    names = ("fixed", "moving")

    def stacked(which: int, values: dict[int, Tensor]) -> Tensor:
        like = next(iter(values.values()))
        found = [values[pair[which]] for pair in of_part]
        return torch.stack(found) if found else like.new_zeros((0, *like.shape))

    tensors = pairs.started({name: stacked(k, people.images) for k, name in enumerate(names)})
    tensors |= {f"{name}_label": stacked(k, people.labels) for k, name in enumerate(names)}
    # The part's own subject, so that intervals count people and not pairs.
    return Cases(
        tensors=tensors,
        case=[f"{items[a].case}+{items[b].case}" for a, b in of_part],
        subject=[items[a if a in mine else b].subject for a, b in of_part],
        group=[group] * len(of_part),
        spacing_mm=torch.tensor(facts.spacing_mm).repeat(len(of_part), 1),
        provenance={name: people.provenance for name in (*names, "moved")},
        facts=facts,
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
    ranked_by=lambda facts: "dice" if facts.structures else "dissimilarity",
    truth=pairs.truth,
)
