"""Picture files as arrays: turned upright, colours as red, green and blue, greys of any depth.

Pictures of eight bits are divided by 255. Deeper ones of one set share one scale, so that the same
value is the same grey in all of them: white is the smallest of 255, 1023, 4095, 16383 and 65535
that none exceeds; where values are negative, larger or not whole, black and white are the set's
smallest and largest value (numbers within 0 … 1 stay). Alpha is dropped.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from course_lib.data.own.kinds import LeftOut
from course_lib.errors import CourseError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2"),
    *(".ppm", ".pgm", ".pbm"),
)
WHITES = (255, 1023, 4095, 16383, 65535)
ORIENTATION = 0x0112
TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""EXIF's orientation → what brings the stored rows and columns upright."""
KEPT_BYTES = 2**29
Size = tuple[int, int]


@dataclass(frozen=True)
class Decoded:
    """A picture's values (y, x) or (y, x, 3) in the file's own numbers, and what was done to it."""

    values: np.ndarray
    done: tuple[str, ...] = ()


class Pictures(Sequence[np.ndarray]):
    """Pictures of files, float32 (C, y, x) in 0 … 1, C 1 or 3; decoded when they are asked for,
    and kept while all together are small.

    Arguments:
        sizes: (width, height) that is expected of each, if it is known.
        shapes: rows and columns of each.
        black, white: of pictures deeper than eight bits.
        kept: those that are decoded already.
    """

    def __init__(
        self,
        files: Sequence[Path],
        sizes: Sequence[Size | None],
        shapes: Sequence[Size],
        black: float,
        white: float,
        kept: dict[Path, np.ndarray],
    ) -> None:
        self.files, self.sizes, self.shapes = tuple(files), tuple(sizes), tuple(shapes)
        self.black, self.white, self.kept = black, white, kept

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, place: slice) -> "Pictures": ...
    def __getitem__(self, place: int | slice) -> "np.ndarray | Pictures":
        if isinstance(place, slice):
            return self.chosen(range(len(self))[place])
        file = self.files[place]
        values = self.kept.get(file)
        if values is None:
            values = decoded(file, self.sizes[place]).values
        scaled = self._scaled(values)
        return np.ascontiguousarray(scaled[None] if scaled.ndim == 2 else scaled.transpose(2, 0, 1))

    def shape(self, place: int) -> Size:
        """Rows and columns of a picture."""
        return self.shapes[place]

    def chosen(self, places: Sequence[int]) -> "Pictures":
        """Some of the pictures, on the same scale."""
        return Pictures(
            [self.files[k] for k in places],
            [self.sizes[k] for k in places],
            [self.shapes[k] for k in places],
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
    room = KEPT_BYTES
    for place, (file, size) in enumerate(zip(files, wanted, strict=True)):
        try:
            found = decoded(file, size)
        except CourseError as error:
            faults.append(LeftOut(file.name, str(error)))
            continue
        good.append(place)
        shapes.append(found.values.shape[:2])
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
    pictures = Pictures(*chosen, shapes, black, white, kept)
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


def decoded(file: Path, size: Size | None = None) -> Decoded:
    """A picture in the file's own numbers, upright by its EXIF orientation; where another (width,
    height) is expected that only the picture as stored has, as stored.

    Raises CourseError for what is no single 2D picture, is cut off, holds NaN, or has another size.
    """
    try:
        values, orientation, done = _values(file)
    except CourseError:
        raise
    except Exception as error:  # each of the many formats has errors of its own
        raise CourseError(f"{file} cannot be read as a picture: {error}.") from error
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise CourseError(f"{file} holds NaN or infinite values.")
    upright = TURNS[orientation](values) if orientation in TURNS else values
    if size is None or size == upright.shape[1::-1]:
        words = (*done, "turned upright by EXIF") if orientation in TURNS else done
        return Decoded(np.ascontiguousarray(upright), words)
    if size == values.shape[1::-1]:
        return Decoded(values, (*done, "EXIF's turn left out, as the given size says"))
    have = " x ".join(map(str, upright.shape[1::-1]))
    turned = f" ({values.shape[1]} x {values.shape[0]} as stored)" if orientation in TURNS else ""
    said = f"{size[0]} x {size[1]}"
    raise CourseError(f"{file} is {have} pixels{turned}, but {said} are given for it.")


def _values(file: Path) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """Values (y, x) or (y, x, 3) as stored, EXIF's orientation (1: upright), what was done."""
    content = file.read_bytes()
    try:
        picture = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        if file.suffix.lower() not in (".tif", ".tiff"):
            raise
        return _deep(file), 1, ()  # 64 bits, whole or float, are unknown to Pillow
    done = _one_frame(picture, file)
    tags = getattr(picture, "tag_v2", {})
    if picture.format == "TIFF" and tags.get(339, (1,))[0] != 1:  # SampleFormat: not unsigned
        return _deep(file), int(tags.get(274, 1)), done
    inverted = picture.format == "TIFF" and tags.get(262) == 0 and picture.mode[0] in "IF"
    picture.load()  # Pillow itself turns TIFF
    orientation = picture.getexif().get(ORIENTATION, 1)
    values, converted = _channels(picture, file)
    if inverted:  # "white is zero", which Pillow looks at up to 8 bits only
        values = 65535 - values
    return values, orientation, (*done, *converted)


def _one_frame(picture: Image.Image, file: Path) -> tuple[str, ...]:
    """What to say of further frames: previews are passed over.

    Raises CourseError when they have the size of the first: a film or a stack.
    """
    frames = getattr(picture, "n_frames", 1)
    if frames == 1:
        return ()
    size = picture.size
    if picture.format != "MPO":  # two shots of one camera, or one with a preview
        for number in range(1, frames):
            picture.seek(number)
            if picture.size == size:
                raise CourseError(
                    f"{file} holds {frames} pictures, a film or a stack; one for each file is "
                    "needed. Write its frames into files of their own."
                )
        picture.seek(0)
    return ("only the first picture of the file is used, the others are previews",)


def _channels(picture: Image.Image, file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Grey (y, x) or colours (y, x, 3) of a decoded picture of any mode."""
    mode = picture.mode
    if mode in ("1", "L", "LA", "La"):
        return np.asarray(picture.convert("L")), ()
    if mode in ("P", "PA"):
        colours = np.asarray(picture.convert("RGBA"))[..., :3]
        grey = (colours == colours[..., :1]).all()
        return (colours[..., 0] if grey else colours), ()
    if mode in ("RGB", "RGBA", "RGBX"):
        return np.asarray(picture)[..., :3], ()
    if mode in ("CMYK", "YCbCr", "HSV", "RGBa"):
        middle = picture.convert("RGBA") if mode == "RGBa" else picture
        return np.asarray(middle.convert("RGB")), (f"{mode} converted to red, green and blue",)
    if mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        turned = ImageCms.profileToProfile(picture, *profiles, outputMode="RGB")
        return np.asarray(turned), ("LAB converted to red, green and blue",)
    if mode.startswith("I;16") or mode in ("I", "F"):
        values = np.asarray(picture)
        return values.astype(np.float32 if mode == "F" else np.int32), ()
    raise CourseError(f"{file} has pixels of the kind {mode!r}, which are not known here.")


def _deep(file: Path) -> np.ndarray:
    """A TIFF's numbers, whatever their depth: (y, x) or (y, x, 3)."""
    from skimage.io import imread

    values = np.squeeze(imread(file))
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values = values[..., :3]
    elif values.ndim != 2:
        raise CourseError(f"{file} has shape {values.shape}; a grey or colour picture is needed.")
    if values.dtype.kind not in "iuf":
        raise CourseError(f"{file} holds numbers of the kind {values.dtype}, not grey values.")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
