"""Sets of picture files: decoded when they are asked for, greys of any depth on one scale.

Pictures of eight bits are divided by 255. Deeper ones of one set share one scale, so that the same
value is the same grey in all of them: white is the smallest of 255, 1023, 4095, 16383 and 65535
that none exceeds; where values are negative, larger or not whole, black and white are the set's
smallest and largest value (numbers within 0 … 1 stay).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own.kinds import LeftOut
from course_lib.data.own.pixels import Size, decoded
from course_lib.errors import CourseError

WHITES = (255, 1023, 4095, 16383, 65535)
KEPT_BYTES = 2**29


class Pictures(Sequence[np.ndarray]):
    """Pictures of files, float32 (C, y, x) in 0 … 1, C 1 or 3; decoded when they are asked for,
    and kept while all together are small.

    Arguments:
        sizes: (width, height) that is expected of each, if it is known.
        shapes: rows and columns of each. channels: 3 where one has colours, else 1.
        black, white: of pictures deeper than eight bits.
        kept: those that are decoded already.
    """

    def __init__(
        self,
        files: Sequence[Path],
        sizes: Sequence[Size | None],
        shapes: Sequence[Size],
        channels: int,
        black: float,
        white: float,
        kept: dict[Path, np.ndarray],
    ) -> None:
        self.files, self.sizes, self.shapes = tuple(files), tuple(sizes), tuple(shapes)
        self.channels, self.black, self.white, self.kept = channels, black, white, kept

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return self.chosen(range(len(self))[place])
        file = self.files[place]
        values = self.kept.get(file)
        if values is None:
            values = decoded(file, self.sizes[place]).values
        scaled = self._scaled(values)
        return np.ascontiguousarray(scaled[None] if scaled.ndim == 2 else scaled.transpose(2, 0, 1))

    def chosen(self, places: Sequence[int]) -> "Pictures":
        """Some of the pictures, on the same scale."""
        return Pictures(
            [self.files[k] for k in places],
            [self.sizes[k] for k in places],
            [self.shapes[k] for k in places],
            self.channels,
            self.black,
            self.white,
            self.kept,
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[k] for k in range(len(self)))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if values.dtype == np.uint8:
            return values.astype(np.float32) / 255
        return ((values.astype(np.float64) - self.black) / (self.white - self.black)).astype("f4")


@dataclass(frozen=True)
class Opened:
    """The pictures that can be read, their positions in the list that was given, which ones cannot
    and why, and what was done to them."""

    pictures: Pictures
    positions: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def opened(files: Sequence[Path], sizes: Sequence[Size | None] | None = None) -> Opened:
    """Looks at every picture once: what cannot be decoded, or has another size than the expected
    (width, height), is among those left out."""
    wanted = list(sizes or [None] * len(files))
    good: list[int] = []
    shapes: list[Size] = []
    faults, deep = [], []
    done: dict[str, int] = {}
    kept: dict[Path, np.ndarray] = {}
    room, channels = KEPT_BYTES, 1
    for place, (file, size) in enumerate(zip(files, wanted, strict=True)):
        try:
            found = decoded(file, size)
        except CourseError as error:
            faults.append(LeftOut(file.name, str(error)))
            continue
        good.append(place)
        shapes.append(found.values.shape[:2])
        channels = max(channels, 1 if found.values.ndim == 2 else 3)
        for word in found.done:
            done[word] = done.get(word, 0) + 1
        if found.values.dtype != np.uint8:
            whole = np.issubdtype(found.values.dtype, np.integer)
            deep.append((float(found.values.min()), float(found.values.max()), whole))
        room -= found.values.nbytes
        if room > 0:
            kept[file] = found.values
    black, white, said = scale(deep)
    counted = [f"{count} of {len(good)} pictures: {word}" for word, count in done.items()]
    chosen = [files[k] for k in good], [wanted[k] for k in good]
    pictures = Pictures(*chosen, shapes, channels, black, white, kept)
    return Opened(pictures, tuple(good), tuple(faults), (*counted, *said))


def scale(deep: Sequence[tuple[float, float, bool]]) -> tuple[float, float, tuple[str, ...]]:
    """Black and white of a set's pictures deeper than eight bits, and a sentence that says so.

    Arguments:
        deep: smallest and largest value of each, and whether its numbers are whole.

    >>> scale([(0, 3000, True), (12, 4000, True)])[:2]
    (0.0, 4095.0)
    """
    if not deep:
        return 0.0, 65535.0, ()
    low, high = min(each[0] for each in deep), max(each[1] for each in deep)
    if low >= 0 and high <= WHITES[-1] and all(whole for *_, whole in deep):
        full = next(each for each in WHITES if each >= high)
        return 0.0, float(full), (f"{len(deep)} pictures deeper than 8 bits: {full} is white",)
    if low >= 0 and high <= 1:
        return 0.0, 1.0, ()
    white = high if high > low else low + 1
    said = f"{len(deep)} pictures deeper than 8 bits: {low:g} is black and {high:g} white"
    return low, white, (said,)


def load(file: Path) -> np.ndarray:
    """One picture by itself: float32 (C, y, x) in 0 … 1, one or three channels.

    Raises CourseError when it cannot be read.
    """
    found = opened([file])
    if found.left_out:
        raise CourseError(found.left_out[0].why)
    return found.pictures[0]
