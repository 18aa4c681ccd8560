"""What was understood of the user's data, before anything is trained on them.

Every kind of data is a sequence of `Item`: one image each, with what is marked in it. A kind of
pictures needs nothing here but the fields that others have: `images`, `names`, `subjects`, and
`boxes`, `labels` and `classes`, or `masks` and `structures`, where things are marked.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from course_lib.data import own
from course_lib.data.own.tables import listed
from course_lib.errors import CourseError

PARTS = ("train", "validation", "test")
SHOWN = {"train": 6, "validation": 3, "test": 3}
AXES = "turned to LPS: slices go up, rows to the back, columns to the left"


@dataclass(frozen=True)
class Shown:
    """A picture of the contact sheet.

    Arguments:
        image: (y, x) or (y, x, 3), black 0, white 1. pixel: height over width of a pixel.
        labels: whole numbers (y, x) to lay over it. boxes: (top, left, bottom, right, class).
    """

    title: str
    image: np.ndarray
    labels: np.ndarray | None = None
    boxes: tuple[tuple[float, ...], ...] = ()
    pixel: float = 1.0


@dataclass(frozen=True)
class Item:
    """One image: its size in words, how much of each thing is marked in it, the smallest and the
    largest value, sides of its boxes in pixels, and how to show it."""

    size: tuple[int, ...]
    counts: dict[str, int]
    show: Callable[[str], Shown]
    span: tuple[float, float] | None = None
    sides: tuple[float, ...] = ()


@dataclass
class Look:
    """What was understood: rows of a table (name → text), how much of each thing is marked in each
    part, in what, and pictures to look at."""

    rows: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    marked: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    pictures: list[Shown] = field(default_factory=list)


def look(data: own.OwnData, watch: Callable[[Any], Any] = iter) -> Look:
    """Looks at all images, one after the other.

    Arguments:
        watch: takes the images and hands them on, for a bar of progress.
    """
    names, subjects, items, known = _opened(data)
    placed, split = _placed(data, names, subjects, known)
    found = Look({"format": data.what, "images": f"{len(names)} of {len(set(subjects))} subjects"})
    found.rows["split"] = split
    for part in PARTS:
        people = [who for who, where in zip(subjects, placed, strict=True) if where == part]
        if people:
            found.parts[part] = {"images": len(people), "subjects": len(set(people))}
    chosen = _chosen(placed)
    sizes: Counter[tuple[int, ...]] = Counter()
    spans, sides = [], []
    for place, item in enumerate(watch(items)):
        part = placed[place] or "unused"
        sizes[item.size] += 1
        spans += [item.span] if item.span else []
        sides += item.sides
        for name, count in item.counts.items():
            found.counts.setdefault(name, dict.fromkeys(PARTS, 0))
            found.counts[name][part] = found.counts[name].get(part, 0) + count
        if place in chosen:
            found.pictures.append(item.show(f"{names[place]}, {part}"))
    found.rows["sizes"] = _sizes(sizes)
    if spans:
        low, high = min(low for low, _ in spans), max(high for _, high in spans)
        found.rows["values"] = f"{low:g} to {high:g}"
    if sides:
        found.rows["box sides"] = (
            f"{min(sides):.3g} to {max(sides):.3g} pixels, median {median(sides):.3g}"
        )
    found.rows |= _further(data)
    found.marked = _marked(data)
    for name in _named(data):
        found.counts.setdefault(name, dict.fromkeys(PARTS, 0))
    return found


def _opened(
    data: own.OwnData,
) -> tuple[list[str], list[str], Iterator[Item], list[str | None] | None]:
    """Names, subjects, the images one by one, and their parts where the data hold them apart."""
    if isinstance(data, own.Scans):
        heads = data.heads
        items = (_of_volume(data.volumes[k], data.names) for k in range(len(heads)))
        return [head.case for head in heads], [head.subject for head in heads], items, None
    if isinstance(data, own.Labelled):
        subjects = [who for part in PARTS for who in data.subjects[part]]
        names = [n for part in PARTS for n in data.names.get(part) or data.subjects[part]]
        placed: list[str | None] = [part for part in PARTS for _ in data.subjects[part]]
        return names, subjects, _of_labelled(data), placed
    seen: Any = data
    names = list(getattr(seen, "names", ()))
    items = (_of_picture(seen, k) for k in range(len(names)))
    return names, list(getattr(seen, "subjects", names)), items, None


def _placed(
    data: own.OwnData,
    names: Sequence[str],
    subjects: Sequence[str],
    known: list[str | None] | None,
) -> tuple[list[str | None], str]:
    """The part of each image, and a sentence on where the parts come from."""
    if known is not None:
        return known, getattr(data, "published", "") or "as the data give it, or by subject"
    placed: list[str | None] = [None] * len(names)
    try:
        members = own.divided(data, names, subjects)
    except CourseError as error:
        return placed, str(error)
    for part, rows in members.items():
        for row in rows:
            placed[row] = part
    return placed, "as given" if data.given else "by subject: about 60, 20 and 20 %"


def _chosen(placed: Sequence[str | None]) -> set[int]:
    """Which images are shown: of each part some, evenly spread."""
    chosen: set[int] = set()
    for part in {*placed}:
        rows = [row for row, where in enumerate(placed) if where == part]
        count = min(len(rows), SHOWN.get(part or "", sum(SHOWN.values()) // len({*placed})))
        chosen |= {rows[k * len(rows) // count] for k in range(count)}
    return chosen


def _of_volume(volume: Any, names: dict[int, str]) -> Item:
    label = volume.labels.get("label")
    counts: dict[str, int] = {}
    best = len(volume.image) // 2
    if label is not None:
        numbers, voxels = np.unique(label, return_counts=True)
        found = zip(numbers.tolist(), voxels.tolist(), strict=True)
        counts = {names.get(int(k), f"label {int(k)}"): int(n) for k, n in found if k}
        best = int((label != 0).sum((1, 2)).argmax()) if counts else best

    def show(title: str) -> Shown:
        low, high = np.percentile(volume.image[best], (1, 99))
        image = np.clip((volume.image[best] - low) / max(high - low, 1e-6), 0, 1)
        drawn = None if label is None else label[best].astype(int)
        pixel = volume.spacing_mm[1] / volume.spacing_mm[2]
        return Shown(f"{title}, slice {best}", image, drawn, pixel=pixel)

    span = float(volume.image.min()), float(volume.image.max())
    return Item(volume.image.shape, counts, show, span)


def _of_labelled(data: own.Labelled) -> Iterator[Item]:
    for part in PARTS:
        images = data.images[part]
        for k, label in enumerate(data.labels[part]):
            which = [int(label)] if np.ndim(label) == 0 else np.flatnonzero(label).tolist()
            classes = [data.classes[number] for number in which]

            def show(title: str, k: int = k, images: Any = images, said: Any = classes) -> Shown:
                image = np.asarray(images[k])
                flat = image if image.ndim == 3 else image[:, image.shape[1] // 2]
                return Shown(f"{title}: {listed(said, 2)}", _drawn(flat))

            yield Item(_size(images, k), dict.fromkeys(classes, 1), show)


def _of_picture(data: Any, place: int) -> Item:
    counts: Counter[str] = Counter()
    boxes: list[tuple[float, ...]] = []
    if hasattr(data, "boxes"):
        numbers = data.labels[place].tolist()
        counts.update(data.classes[number] for number in numbers)
        rows = data.boxes[place].tolist()
        boxes = [(*row, number) for row, number in zip(rows, numbers, strict=True)]
    mask = np.asarray(data.masks[place]) if hasattr(data, "masks") else None
    if mask is not None:
        for number, count in zip(*np.unique(mask, return_counts=True), strict=True):
            if 0 < number <= len(data.structures):
                counts[data.structures[int(number) - 1]] += int(count)

    def show(title: str) -> Shown:
        image = np.asarray(data.images[place])
        drawn = None if mask is None else mask.astype(int)
        return Shown(title, _drawn(image), drawn, tuple(boxes))

    sides = tuple(n for b in boxes for n in (b[2] - b[0], b[3] - b[1]))
    return Item(_size(data.images, place), dict(counts), show, sides=sides)


def _size(images: Any, place: int) -> tuple[int, ...]:
    """The size of an image, without decoding it where that is known."""
    shape = getattr(images, "shape", None)
    found = shape(place) if callable(shape) else np.shape(images[place])
    return tuple(int(n) for n in (found[1:] if len(found) > 2 else found))


def _drawn(image: np.ndarray) -> np.ndarray:
    """(C, y, x) or (y, x) in 0 … 1 as what is drawn."""
    if image.ndim == 2:
        return image
    return image.transpose(1, 2, 0) if len(image) == 3 else image[0]


def _sizes(sizes: Counter[tuple[int, ...]]) -> str:
    words = {size: " x ".join(map(str, size)) for size in sizes}
    if len(sizes) <= 3:
        return ", ".join(f"{words[size]} ({count})" for size, count in sizes.most_common())
    ends = [" x ".join(f"{low} to {high}" if low < high else str(low) for low, high in zip(
        np.min(list(group), 0), np.max(list(group), 0), strict=True
    )) for group in (sizes,)]  # fmt: skip
    return f"{len(sizes)} different: {ends[0]}"


def _further(data: own.OwnData) -> dict[str, str]:
    """What only volumes have."""
    if not isinstance(data, own.Scans):
        return {}
    spacings = np.array([head.spacing_mm for head in data.heads])
    words = [
        f"{low:.3g}" if high - low < 0.005 * high else f"{low:.3g} to {high:.3g}"
        for low, high in zip(spacings.min(0), spacings.max(0), strict=True)
    ]
    units = Counter(head.unit for head in data.heads)
    said = ", ".join(
        f"{unit} ({count})" if len(units) > 1 else unit for unit, count in units.items()
    )
    with_map = sum("label" in head.labels for head in data.heads)
    targets = sum("target" in head.labels for head in data.heads)
    return {
        "spacing": f"{' x '.join(words)} mm (z, y, x)",
        "orientation": AXES,
        "unit": said,
        "label maps": f"{with_map} of {len(data.heads)}",
        **({"targets": f"{targets} of {len(data.heads)}"} if targets else {}),
    }


def _marked(data: Any) -> str:
    if isinstance(data, own.Labelled):
        return "classes, images"
    if hasattr(data, "boxes"):
        return "classes, boxes"
    return "structures, pixels" if hasattr(data, "masks") else "structures, voxels"


def _named(data: Any) -> Sequence[str]:
    """Everything that the data have a name for, found or not."""
    if isinstance(data, own.Scans):
        return list(data.names.values())
    return getattr(data, "classes", None) or getattr(data, "structures", None) or ()
