"""Picture files as arrays: turned upright, colours as red, green and blue, alpha dropped."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from course_lib.errors import CourseError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2"),
    *(".ppm", ".pgm", ".pbm"),
)
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
Size = tuple[int, int]


@dataclass(frozen=True)
class Decoded:
    """A picture's values (y, x) or (y, x, 3) in the file's own numbers, and what was done to it.

    Arguments:
        palette: (n, 3), the colours that the values number, where they are asked for so.
        lossy: whether the format changes values.
    """

    values: np.ndarray
    done: tuple[str, ...] = ()
    palette: np.ndarray | None = None
    lossy: bool = False


def decoded(file: Path, size: Size | None = None, numbers: bool = False) -> Decoded:
    """A picture in the file's own numbers, upright by its EXIF orientation; where another (width,
    height) is expected that only the picture as stored has, as stored.

    Arguments:
        numbers: of colours in a palette instead of the colours.
    Raises CourseError for what is no single 2D picture, is cut off, holds NaN, or has another size.
    """
    try:
        found, orientation = _stored(file, numbers)
    except CourseError:
        raise
    except Exception as error:  # each of the many formats has errors of its own
        raise CourseError(f"{file} cannot be read as a picture: {error}.") from error
    values = found.values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise CourseError(f"{file} holds NaN or infinite values.")
    upright = TURNS[orientation](values) if orientation in TURNS else values
    if size is None or size == upright.shape[1::-1]:
        words = (*found.done, "turned upright by EXIF") if orientation in TURNS else found.done
        return replace(found, values=np.ascontiguousarray(upright), done=words)
    if size == values.shape[1::-1]:
        left = "EXIF's turn left out, as the given size says"
        return replace(found, done=(*found.done, left))
    have = " x ".join(map(str, upright.shape[1::-1]))
    turned = f" ({values.shape[1]} x {values.shape[0]} as stored)" if orientation in TURNS else ""
    said = f"{size[0]} x {size[1]}"
    raise CourseError(f"{file} is {have} pixels{turned}, but {said} are given for it.")


def _stored(file: Path, numbers: bool) -> tuple[Decoded, int]:
    """A picture as stored, and EXIF's orientation (1: upright)."""
    content = file.read_bytes()
    try:
        picture = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        if file.suffix.lower() not in (".tif", ".tiff"):
            what = "its content is no picture" if content else "it is empty"
            raise CourseError(f"{file} cannot be read as a picture: {what}.") from None
        return Decoded(_deep(file)), 1  # 64 bits, whole or float, are unknown to Pillow
    done = _one_frame(picture, file)
    tags = getattr(picture, "tag_v2", {})
    if picture.format == "TIFF" and tags.get(339, (1,))[0] != 1:  # SampleFormat: not unsigned
        return Decoded(_deep(file), done), int(tags.get(274, 1))
    inverted = picture.format == "TIFF" and tags.get(262) == 0 and picture.mode[0] in "IF"
    picture.load()  # Pillow itself turns TIFF
    orientation = picture.getexif().get(ORIENTATION, 1)
    if numbers and picture.mode == "P":
        palette = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return Decoded(np.asarray(picture), done, palette), orientation
    values, converted = _channels(picture, file)
    if inverted:  # "white is zero", which Pillow looks at up to 8 bits only
        values = 65535 - values
    lossy = picture.format in ("JPEG", "MPO", "WEBP")
    return Decoded(values, (*done, *converted), lossy=lossy), orientation


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

    values = imread(file)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values = values[..., :3]
    elif values.ndim != 2:
        raise CourseError(f"{file} has shape {values.shape}; a grey or colour picture is needed.")
    if values.dtype.kind not in "iuf":
        raise CourseError(f"{file} holds numbers of the kind {values.dtype}, not grey values.")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
