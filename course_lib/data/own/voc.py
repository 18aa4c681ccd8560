"""Pascal VOC: an XML file with boxes for each picture (`Annotations/`, `JPEGImages/`).

`ImageSets/Main/train.txt`, `val.txt` and `test.txt` are a given split. Corners are taken as they
stand; in files of the VOC challenge itself the first pixel is number 1 and the last one is within.

Source: Everingham et al. 2010, doi 10.1007/s11263-009-0275-4.
"""

import math
from pathlib import Path
from xml.etree import ElementTree

from course_lib.data.own import files, folders, given, marked
from course_lib.data.own.kinds import Boxed, LeftOut
from course_lib.data.own.marked import Box, Marked
from course_lib.data.own.reading import Reading

PARTS = ("train", "val", "test")
CORNERS = ("ymin", "xmin", "ymax", "xmax")


def holds(place: Path) -> bool:
    """Whether below a folder lies an XML file that describes a picture."""
    return any(_tree(file) is not None for file in _xml(place)[:5])


def read(place: Path, reading: Reading, unverified: bool = False) -> Boxed:
    """The pictures that XML files describe, with their boxes.

    Raises CourseError, naming every case, for files that are broken, pictures that are missing,
    and boxes that cannot be used, unless the user skips them.
    """
    pictures = {file.name: file for file in folders.pictures(place)}
    by_stem = {file.stem: file for file in pictures.values()}
    parts = _parts(place)
    found, wrong = [], []
    for file in _xml(place):
        tree = _tree(file)
        if tree is None:
            wrong.append(LeftOut(file.name, "no description of a picture"))
            continue
        named = (tree.findtext("filename") or "").strip().replace("\\", "/").rpartition("/")[2]
        picture = pictures.get(named) or by_stem.get(file.stem)
        if picture is None:
            wrong.append(LeftOut(file.name, f"{file.name} has no picture {named or file.stem}"))
            continue
        each = Marked(picture, _size(tree), part=parts.get(file.stem))
        official = (tree.findtext("source/database") or "").startswith("The VOC")
        for number, thing in enumerate(tree.iter("object"), 1):
            _mark(each, thing, f"object {number} of {file.name}", 1.0 if official else 0.0)
        found.append(each)
    classes = sorted({box.label for each in found for box in each.boxes})
    return marked.boxed(place, found, classes, reading, wrong=wrong)


def _mark(each: Marked, thing: ElementTree.Element, name: str, first: float) -> None:
    """Adds one object's box, or a fault; `first` is the number of the first pixel."""
    texts = [thing.findtext(f"bndbox/{corner}") for corner in CORNERS]
    try:
        top, left, bottom, right = (float(text or "") for text in texts)
    except ValueError:
        each.faults.append(f"{name} has no bndbox of four numbers, but {texts}")
        return
    label = (thing.findtext("name") or "").strip()
    if not label:
        each.faults.append(f"{name} has no name")
    elif bottom <= top or right <= left:
        each.faults.append(f"{name} ends before it starts: {CORNERS} are {texts}")
    else:
        each.boxes.append(Box(label, (top - first, left - first, bottom, right), name))


def _parts(place: Path) -> dict[str, str]:
    """Stem → part, by the lists of `ImageSets/Main/`."""
    found: dict[str, str] = {}
    for name in PARTS:
        for file in place.rglob(f"ImageSets/Main/{name}.txt"):
            stems = [line.split()[0] for line in file.read_text("utf-8-sig").splitlines() if line]
            found |= dict.fromkeys(stems, given.word(name) or name)
    return found


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (float(tree.findtext(f"size/{side}") or "") for side in ("width", "height"))
    except ValueError:
        return None
    known = math.isfinite(width + height) and min(width, height) > 0
    return (round(width), round(height)) if known else None


def _xml(place: Path) -> list[Path]:
    return [file for file in files.within(place) if file.suffix.lower() == ".xml"]


def _tree(file: Path) -> ElementTree.Element | None:
    """The file's content if it describes a picture."""
    try:
        tree = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, OSError, UnicodeError):
        return None
    return tree if tree.tag == "annotation" else None
