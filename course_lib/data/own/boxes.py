"""COCO: JSON files that name pictures, categories and boxes.

As published (`annotations/instances_train2017.json` beside `train2017/`), as labelling tools write
them (one JSON beside the pictures or `images/`), or one JSON in each folder of a split. Several
files are the parts of a split where their names, or their folders', say so.
"""

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_lib.data.own import files, folders, given, marked, tables
from course_lib.data.own.kinds import Boxed, LeftOut
from course_lib.data.own.marked import Box, Marked
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

KEYS = ("images", "annotations")
FEWEST_TAKEN_FOR_PARTS = 3
"""So many boxes within 0 … 1 are no boxes of less than a pixel, but parts of the picture."""


def holds(place: Path) -> bool:
    """Whether a folder holds a JSON file with the keys of COCO, in it or in a folder just below."""
    return bool(_coco_files(place))


def read(place: Path, reading: Reading, unverified: bool = False) -> Boxed:
    """The pictures and boxes of a COCO folder.

    COCO writes a box as (left, top, width, height); here it becomes (top, left, bottom, right).
    Where an object has an outline but no box, the box is the outline's. Boxes of crowds and boxes
    without an area are left out.

    Raises CourseError for files that do not belong together, and naming every picture that is
    missing and every box that cannot be used, unless the user skips them.
    """
    chosen = _coco_files(place)
    parts = {file: _part(file, place) for file in chosen}
    if len(chosen) > 1 and (None in parts.values() or len(set(parts.values())) < len(chosen)):
        names = tables.listed(folders.paths(place, chosen))
        raise CourseError(
            f"{place} holds several COCO files ({names}); keep one, or one for each part of a "
            "split, called train, val and test."
        )
    found: list[Marked] = []
    wrong: list[LeftOut] = []
    said: dict[str, int] = {}
    classes: list[str] = []
    for file in chosen:
        content = _content(file, file.stat().st_mtime_ns) or {}
        part = _Part(file, place, parts[file] if len(chosen) > 1 else None, content, said)
        classes += [name for name in part.classes.values() if name not in classes]
        found += part.marked()
        wrong += part.wrong
    notes = tuple(f"{count} {words}" for words, count in said.items())
    return marked.boxed(place, found, classes, reading, notes, wrong)


class _Part:
    """One COCO file: its pictures with their boxes, and what is wrong with it."""

    def __init__(
        self, file: Path, place: Path, part: str | None, content: dict, said: dict[str, int]
    ) -> None:
        self.file, self.place, self.part, self.content, self.said = file, place, part, content, said
        self.wrong: list[LeftOut] = []
        rows = content.get("categories")
        if not isinstance(rows, list) or not rows:
            raise CourseError(f"{file} has no 'categories'. Expected: a list of id and name.")
        whole = [isinstance(row, dict) and {"id", "name"} <= set(row) for row in rows]
        if bad := [row for row, good in zip(rows, whole, strict=True) if not good]:
            raise CourseError(f"{file} has the category {bad[0]} without 'id' or 'name'.")
        self.classes = {row["id"]: str(row["name"]) for row in rows}
        if len(self.classes) < len(rows):
            raise CourseError(f"{file} gives two categories the same id.")

    def marked(self) -> list[Marked]:
        """Its pictures; those that are missing or have no id are among what is wrong."""
        pictures: dict[Any, Marked] = {}
        for row in self.content["images"]:
            if not isinstance(row, dict) or "id" not in row or "file_name" not in row:
                self.wrong.append(LeftOut(self.file.name, f"picture {row} lacks id or file_name"))
            elif row["id"] in pictures:
                self.wrong.append(LeftOut(self.file.name, f"two pictures have the id {row['id']}"))
            elif (picture := self.picture(str(row["file_name"]))) is not None:
                pictures[row["id"]] = Marked(picture, _size(row), part=self.part)
            else:
                name = row["file_name"]
                why = f"{self.file.name} lacks the picture {name}, beside it or in images/"
                self.wrong.append(LeftOut(str(name), why))
        missing = len(self.content["images"]) - len(pictures)
        for note in self.content["annotations"]:
            self.mark(note, pictures, missing)
        boxes = [box.corners for each in pictures.values() for box in each.boxes]
        if len(boxes) >= FEWEST_TAKEN_FOR_PARTS and all(max(each) <= 1 for each in boxes):
            raise CourseError(
                f"All boxes of {self.file} lie within 0 to 1: they are parts of the picture. "
                "COCO's are in pixels."
            )
        return list(pictures.values())

    def mark(self, note: Any, pictures: dict[Any, Marked], missing: int) -> None:
        """Adds one annotation to its picture, or a fault."""
        name = note.get("id") if isinstance(note, dict) else note
        name = f"annotation {name} of {self.file.name}"
        try:
            picture, label = pictures.get(note["image_id"]), self.classes.get(note["category_id"])
        except (KeyError, TypeError):
            self.wrong.append(LeftOut(name, f"{name} lacks image_id or category_id"))
            return
        if picture is None:
            if not missing:  # else the picture is named as missing already
                self.wrong.append(LeftOut(name, f"{name} names no known picture"))
        elif label is None:
            picture.faults.append(f"{name} names no known category")
        elif note.get("iscrowd"):
            self.count("boxes of crowds are left out")
        elif (corners := self.corners(note)) is None:
            given_ = note.get("bbox", "no bbox")
            picture.faults.append(f"{name} has {given_} and no outline, not four numbers as a bbox")
        elif corners[0] < corners[2] and corners[1] < corners[3]:
            picture.boxes.append(Box(label, corners, name))
        else:
            self.count("boxes without an area are left out")

    def count(self, words: str) -> None:
        """One more of which the user is told."""
        self.said[words] = self.said.get(words, 0) + 1

    def corners(self, note: dict) -> tuple[float, float, float, float] | None:
        """(top, left, bottom, right) of an annotation's box, or else of its outline."""
        box = _numbers(note.get("bbox"))
        if box is not None and len(box) == 4:
            left, top, width, height = box
            return top, left, top + height, left + width
        outline = note.get("segmentation")
        rings = [_numbers(ring) for ring in outline] if isinstance(outline, list) else []
        points = [number for ring in rings if ring for number in ring]
        if note.get("bbox") or not points or None in rings or len(points) % 2:
            return None
        self.count("boxes are those of their outlines")
        return min(points[1::2]), min(points[::2]), max(points[1::2]), max(points[::2])

    def picture(self, name: str) -> Path | None:
        """The picture beside the JSON, in `images/` or in the folder that the JSON is called
        after; never outside the folder."""
        called = self.file.stem.removeprefix("instances_")
        tops = dict.fromkeys((self.file.parent, self.place))
        below = ("", "images", called, f"images/{called}", "JPEGImages", "data")
        for top in tops:
            for folder in below:
                file = top / folder / name.replace("\\", "/")
                if file.resolve().is_relative_to(self.place.resolve()) and file.is_file():
                    return file
        return None


def _coco_files(place: Path) -> list[Path]:
    """COCO's JSON files; where some are called `instances_…`, those alone."""
    below = [file for file in files.within(place) if file.suffix.lower() == ".json"]
    near = [file for file in below if len(file.relative_to(place).parts) <= 2]
    found = [file for file in near if _content(file, file.stat().st_mtime_ns)]
    instances = [file for file in found if file.stem.startswith("instances_")]
    return instances or found


@lru_cache(maxsize=4)
def _content(file: Path, changed: int) -> dict | None:
    """The file's content if it is COCO's with boxes; `changed` is its time."""
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (ValueError, OSError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in KEYS):
        return None
    notes = [note for note in content["annotations"] if isinstance(note, dict)]
    boxes = "categories" in content or any({"bbox", "category_id"} & set(note) for note in notes)
    return content if boxes else None


def _part(file: Path, place: Path) -> str | None:
    """The part of a split that a file's name, or else its folder's, says."""
    pieces = file.stem.lower().replace("-", "_").replace(".", "_").split("_")
    folder = file.parent.name if file.parent != place else ""
    return next((part for piece in (*pieces, folder) if (part := given.word(piece))), None)


def _size(row: dict) -> tuple[int, int] | None:
    size = _numbers([row.get("width"), row.get("height")])
    return (round(size[0]), round(size[1])) if size and min(size) > 0 else None


def _numbers(values: Any) -> list[float] | None:
    """The values as numbers, or None if they are none, or not finite."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None
