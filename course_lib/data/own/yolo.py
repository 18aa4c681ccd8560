"""YOLO: a text file with boxes for each picture (`images/`, `labels/`, `data.yaml`).

A line is a class number and the box's middle and sides, `class x y width height`, in parts of the
picture; or a class number and an outline `x y x y x y …`, whose box is taken; of poses
(`kpt_shape` in `data.yaml`) the box before the points is taken. A picture without a text file shows
nothing. Names of the classes: `data.yaml`, `classes.txt` or `obj.names`.
"""

import math
from collections import Counter
from pathlib import Path

import yaml

from course_lib.data.own import files, folders, marked
from course_lib.data.own.kinds import Boxed, LeftOut
from course_lib.data.own.marked import Box, Marked
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

LISTS = {"train": "train", "val": "validation", "test": "test"}
NAMES = ("classes.txt", "obj.names", "_darknet.labels")


def holds(place: Path) -> bool:
    """Whether pictures have text files of boxes: one of YOLO's shape is enough."""
    return any(
        (text := _text(file)).is_file() and _is_yolo(text) for file in folders.pictures(place)
    )


def read(place: Path, reading: Reading, unverified: bool = False) -> Boxed:
    """The pictures with the boxes of their text files, and the split that folders or the lists of
    `data.yaml` give.

    Raises CourseError, naming every case, for lines that are no boxes, boxes that are no parts of
    the picture, and classes without a name, unless the user skips them.
    """
    pictures = folders.pictures(place)
    about = _about(place)
    names = _names(place, about)
    parts = _lists(place, about)
    found = [Marked(file, part=parts.get(file.resolve())) for file in pictures]
    alone = [each for each in found if not _text(each.file).is_file()]
    for each in found:
        if each not in alone:
            _mark(each, names, pose="kpt_shape" in about)
    texts = Counter(_text(file) for file in pictures)
    for each in found:
        if each not in alone and texts[_text(each.file)] > 1:
            each.faults.append(f"{each.file.name} shares {_text(each.file).name} with another")
    wrong = [
        LeftOut(file.name, f"{file.name} has no picture")
        for file in files.within(place)
        if file.suffix == ".txt" and file.parent.name == "labels" and file not in texts
    ]
    labels = {box.label for each in found for box in each.boxes}
    notes = [f"{len(alone)} pictures without a text file show nothing"] if alone else []
    order = list(names.values()) or sorted(labels, key=lambda label: int(label.split()[-1]))
    return marked.boxed(place, found, order, reading, notes, wrong)


def _mark(each: Marked, names: dict[int, str], pose: bool) -> None:
    """Adds the boxes of a picture's text file, or faults.

    Arguments:
        pose: whether points of the body follow each box.
    """
    text = _text(each.file)
    for number, line in enumerate(text.read_text("utf-8-sig").splitlines(), 1):
        name = f"line {number} of {text.name}"
        if not line.strip():
            continue
        values = _numbers(line)
        if values is None or values[0] != int(values[0]) or values[0] < 0:
            each.faults.append(f"{name} is {line!r}, not 'class x y width height'")
        elif names and int(values[0]) not in names:
            each.faults.append(f"{name} has class {int(values[0])}, which has no name")
        else:
            label = names.get(int(values[0]), f"class {int(values[0])}")
            corners = _corners(values[1:5] if pose else values[1:])
            each.boxes.append(Box(label, corners, name, relative=True))


def _corners(values: list[float]) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) of a box or of an outline."""
    if len(values) in (4, 5):  # a fifth one is a detector's certainty
        x, y, width, height = values[:4]
        return y - height / 2, x - width / 2, y + height / 2, x + width / 2
    return min(values[1::2]), min(values[::2]), max(values[1::2]), max(values[::2])


def _numbers(line: str) -> list[float] | None:
    """A line's numbers: five, six, or one more than an even number of at least six."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        return None
    shaped = len(values) in (5, 6) or (len(values) >= 7 and len(values) % 2 == 1)
    return values if shaped and all(math.isfinite(value) for value in values) else None


def _text(picture: Path) -> Path:
    """The text file of a picture: in `labels/` for `images/`, or beside it."""
    above = list(picture.parts)
    for place in range(len(above) - 2, -1, -1):
        if above[place] == "images":
            found = Path(*above[:place], "labels", *above[place + 1 :]).with_suffix(".txt")
            return found if found.is_file() else picture.with_suffix(".txt")
    return picture.with_suffix(".txt")


def _is_yolo(file: Path) -> bool:
    try:
        lines = file.read_text("utf-8-sig").split("\n", 5)[:5]
    except (UnicodeError, OSError):
        return False
    full = [_numbers(line) for line in lines if line.strip()]
    return bool(full) and all(full)


def _about(place: Path) -> dict:
    """What `data.yaml`, or another YAML file of that kind, says."""
    for file in sorted(place.glob("*.y*ml")):
        try:
            content = yaml.safe_load(file.read_text("utf-8-sig"))
        except (yaml.YAMLError, UnicodeError) as error:
            raise CourseError(f"{file} cannot be read: {error}.") from error
        if isinstance(content, dict) and "names" in content:
            return content
    return {}


def _names(place: Path, about: dict) -> dict[int, str]:
    """Class number → name; empty where nothing says it."""
    names = about.get("names")
    if isinstance(names, dict):
        return {int(number): str(name) for number, name in names.items()}
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    for name in NAMES:
        for file in (place / name, place / "labels" / name):
            if file.is_file():
                lines = file.read_text("utf-8-sig").splitlines()
                return dict(enumerate(line.strip() for line in lines if line.strip()))
    return {}


def _lists(place: Path, about: dict) -> dict[Path, str]:
    """Picture → part, by the folders or the lists of pictures that `data.yaml` names."""
    found: dict[Path, str] = {}
    root = str(about.get("path") or "")
    for word, part in LISTS.items():
        entries = about.get(word) or []
        for entry in [entries] if isinstance(entries, str) else entries:
            for top in (place / root, place):
                where = (top / str(entry).removeprefix("../")).resolve()
                if where.is_file():
                    lines = where.read_text("utf-8-sig").split()
                    found |= {(top / line).resolve(): part for line in lines}
                elif where.is_dir() and where != place.resolve():
                    found |= {file.resolve(): part for file in folders.pictures(where)}
    return found
