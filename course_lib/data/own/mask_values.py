"""What the values of masks mean: labels of structures, 0 where nothing is.

- Two grey values, such as 0 and 255: the brighter one is the structure. Masks that a lossy format
  or smoothing blurred are cut at half.
- Several grey values, at most 20: each is a structure, 0 the background.
- Numbers of a palette: each is a structure; 255 beside them is void, as in Pascal VOC.
- Colours, at most 20: each is a structure, black the background.

Without a 0 or black the smallest value is the background. Notes say what became what.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own import pixels, tables
from course_lib.data.own.kinds import LeftOut
from course_lib.errors import CourseError

MOST, VOID = 20, 255
NEAR, CLEAR = 32, 0.9
"""A mask may be cut at half where this share of its pixels lies so near to black or white."""
Source = tuple[tuple[Path, ...], pixels.Size]


@dataclass(frozen=True)
class Looked:
    """All values of a set's masks.

    Arguments:
        positions: of the pictures whose masks can be read. left_out: the others.
        way: `grey`, `number` (of a palette) or `colour`.
        counts: value → pixels. lossy: whether a format changed them.
    """

    positions: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    way: str
    counts: Counter
    lossy: bool


@dataclass(frozen=True)
class Meaning:
    """Value → label, or what lies above `cut` is label 1; and sentences on it."""

    way: str
    table: dict[int, int]
    structures: tuple[str, ...]
    notes: tuple[str, ...]
    cut: float | None = None


def looked(sources: Sequence[Source]) -> Looked:
    """Decodes every mask once; each has the size of its picture."""
    counts: dict[str, Counter] = {"number": Counter(), "colour": Counter(), "grey": Counter()}
    positions, faults, kinds, lossy = [], [], set(), False
    palette: dict[int, int] = {}
    agree = True
    for place, (files, size) in enumerate(sources):
        try:
            found = [pixels.decoded(file, size, numbers=True) for file in files]
        except CourseError as error:
            faults.append(LeftOut(files[0].name, str(error)))
            continue
        positions.append(place)
        for each in found:
            lossy = lossy or each.lossy
            kinds.add(_kind(each))
            for way in ("colour", _kind(each)):
                counts[way].update(_counted(_values(each, way)))
            for number, colour in _used(each).items():
                agree = agree and palette.setdefault(number, colour) == colour
    # A palette in which black is not number 0 is only a way to store colours.
    agree = agree and not any(colour == 0 and number for number, colour in palette.items())
    way = "colour" if len(kinds) != 1 or (kinds == {"number"} and not agree) else kinds.pop()
    return Looked(tuple(positions), tuple(faults), way, counts[way], lossy)


def meaning(place: Path, seen: Looked) -> Meaning:
    """What became what.

    Raises CourseError where the masks hold one value only, or too many for labels.
    """
    counts = _void(seen)
    if seen.way != "number" and (len(counts) > MOST or (seen.lossy and len(counts) > 2)):
        return _cut(place, seen)
    if len(counts) > MOST:
        raise CourseError(_too_many(place, seen))
    if len(counts) < 2:
        only = tables.listed(_name(value, seen.way) for value in counts)
        raise CourseError(f"All masks in {place} hold nothing but {only}. Expected: two values.")
    ground = 0 if 0 in counts else min(counts)
    values = [value for value in sorted(counts) if value != ground]
    names = [_name(value, seen.way) for value in values]
    if len(values) == 1:
        names = ["mask"]
    known = _described(place)
    if seen.way != "colour" and set(values) <= set(known):
        names = [known[value] for value in values]
    became = tables.listed(
        f"{_name(value, seen.way)} is {name!r}" for value, name in zip(values, names, strict=True)
    )
    notes = [f"Masks: {_name(ground, seen.way)} is the background, {became}."]
    if len(counts) < len(seen.counts):
        notes.append(f"{VOID} in masks is void and taken for background.")
    if ground:
        notes.append("No mask holds 0, so its smallest value is taken for the background.")
    table = {value: number for number, value in enumerate(values, 1)}
    return Meaning(seen.way, table, tuple(names), tuple(notes))


class Masks(Sequence[np.ndarray]):
    """Label maps uint8 (y, x), decoded when they are asked for.

    Arguments:
        sources: of each its files, laid over one another, and its (width, height).
    """

    def __init__(self, sources: Sequence[Source], said: Meaning) -> None:
        self.sources, self.said = tuple(sources), said

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Masks(self.sources[place], self.said)
        files, size = self.sources[place]
        maps = [self._labels(pixels.decoded(file, size, numbers=True)) for file in files]
        return np.maximum.reduce(maps)

    def _labels(self, found: pixels.Decoded) -> np.ndarray:
        values = _values(found, self.said.way)
        if self.said.cut is not None:
            return (_grey(values, self.said.way) > self.said.cut).astype(np.uint8)
        unique, inverse = np.unique(values, return_inverse=True)
        labels = np.array([self.said.table.get(int(value), 0) for value in unique], np.uint8)
        return labels[inverse].reshape(values.shape)


def _used(found: pixels.Decoded) -> dict[int, int]:
    """The numbers of a palette that occur, and their colours."""
    if found.palette is None:
        return {}
    known = [int(number) for number in np.unique(found.values) if number < len(found.palette)]
    return {number: int(_code(found.palette[number])) for number in known}


def _kind(found: pixels.Decoded) -> str:
    if found.palette is not None:
        return "number"
    grey = found.values.ndim == 2 or (found.values == found.values[..., :1]).all()
    return "grey" if grey else "colour"


def _values(found: pixels.Decoded, way: str) -> np.ndarray:
    """Whole numbers (y, x): greys, numbers of a palette, or colours as red·65536 + green·256 +
    blue."""
    values = found.values
    if way == "colour":
        if found.palette is not None:
            numbers = values.clip(0, len(found.palette) - 1)
            return _code(found.palette)[numbers]
        return _code(values if values.ndim == 3 else np.stack([values] * 3, -1))
    values = values[..., 0] if values.ndim == 3 else values
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        return np.rint(values * 255).astype(np.int64)  # parts of one
    return np.rint(values).astype(np.int64)


def _code(colours: np.ndarray) -> Any:
    red, green, blue = np.moveaxis(np.asarray(colours, np.int64), -1, 0)
    return (red << 16) + (green << 8) + blue


def _grey(values: np.ndarray, way: str) -> np.ndarray:
    if way != "colour":
        return values
    return ((values >> 16) + (values >> 8 & 255) + (values & 255)) / 3


def _counted(values: np.ndarray) -> Counter:
    unique, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(unique.tolist(), counts.tolist(), strict=True)))


def _void(seen: Looked) -> Counter:
    """The counts without the void of numbered colours."""
    others = {value: count for value, count in seen.counts.items() if value != VOID}
    return Counter(others) if seen.way == "number" and len(others) > 1 else seen.counts


def _cut(place: Path, seen: Looked) -> Meaning:
    """Masks of black and white that are blurred.

    Raises CourseError where they are not.
    """
    values = np.array(sorted(seen.counts))
    pixels_ = np.array([seen.counts[int(value)] for value in values])
    grey = _grey(values, seen.way)
    white = 255 if grey.max() <= 255 else int(grey.max())
    near = (grey <= NEAR * white / 255) | (grey >= white - NEAR * white / 255)
    if pixels_[near].sum() < CLEAR * pixels_.sum() or grey.max() < white / 2:
        raise CourseError(_too_many(place, seen))
    share = 100 * pixels_[~near].sum() / pixels_.sum()
    note = (
        f"Masks are black and white, but blurred ({len(values)} values, {share:.2g}% of the pixels "
        f"between): what is brighter than {white / 2:g} is 'mask'."
    )
    return Meaning(seen.way, {}, ("mask",), (note,), white / 2)


def _too_many(place: Path, seen: Looked) -> str:
    what = "colours" if seen.way == "colour" else "values"
    return (
        f"The masks in {place} hold {len(seen.counts)} {what}: are they pictures, or numbers of "
        f"single things? Expected: at most {MOST} structures, without loss (PNG, not JPEG)."
    )


def _name(value: int, way: str) -> str:
    return f"#{value:06x}" if way == "colour" else f"{way} {value}"


def _described(place: Path) -> dict[int, str]:
    """Names of the numbers, where a `dataset.json` of nnU-Net gives them."""
    try:
        labels = json.loads((place / "dataset.json").read_text("utf-8-sig"))["labels"]
        pairs = labels.items()
        both = [(key, value) if str(key).isdigit() else (value, key) for key, value in pairs]
        return {int(number): str(name) for number, name in both}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
