"""COCO folders: one JSON file that names pictures, categories and boxes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.own import pictures
from course_lib.data.own.kinds import Boxed
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

KEYS = ("images", "annotations", "categories")


def holds(place: Path) -> bool:
    """Whether a folder holds a JSON file with the keys of COCO."""
    return any(_keys(file) for file in place.glob("*.json"))


def read(place: Path, reading: Reading, unverified: bool = False) -> Boxed:
    """The pictures and boxes of a COCO folder.

    COCO writes a box as (left, top, width, height); here it becomes (top, left, bottom, right).
    Boxes of crowds and boxes without an area are left out.

    Raises CourseError for several such files, a picture that is missing, or a box without picture.
    """
    found = {file: content for file in sorted(place.glob("*.json")) if (content := _keys(file))}
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise CourseError(f"{place} holds several COCO files ({names}); keep one per folder.")
    file, content = next(iter(found.items()))
    classes = {entry["id"]: index for index, entry in enumerate(content["categories"])}
    boxes: dict[Any, list] = {entry["id"]: [] for entry in content["images"]}
    for note in content["annotations"]:
        left, top, width, height = note["bbox"]
        if note["image_id"] not in boxes or note["category_id"] not in classes:
            raise CourseError(f"{file}: box {note.get('id')} names no known picture or category.")
        if not note.get("iscrowd") and width > 0 and height > 0:
            box = (top, left, top + height, left + width)
            boxes[note["image_id"]].append((*box, classes[note["category_id"]]))
    rows = [np.array(each, np.float32).reshape(-1, 5) for each in boxes.values()]
    return Boxed(
        source=place,
        provenance="measured: pictures and boxes of your own",
        licence="as you know it",
        images=tuple(pictures.load(_picture(place, e["file_name"])) for e in content["images"]),
        boxes=tuple(row[:, :4] for row in rows),
        labels=tuple(row[:, 4].astype(np.int64) for row in rows),
        classes=tuple(entry["name"] for entry in content["categories"]),
        names=tuple(Path(entry["file_name"]).stem for entry in content["images"]),
        subjects=tuple(Path(entry["file_name"]).stem for entry in content["images"]),
    )


def _keys(file: Path) -> dict | None:
    """The file's content if it is COCO's."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError):
        return None
    return content if isinstance(content, dict) and set(KEYS) <= set(content) else None


def _picture(place: Path, name: str) -> Path:
    """The picture beside the JSON file or in `images/`; never outside the folder."""
    for file in (place / name, place / "images" / name):
        if file.resolve().is_relative_to(place.resolve()) and file.is_file():
            return file
    raise CourseError(f"{place} lacks the picture {name}, neither beside the JSON nor in images/.")
