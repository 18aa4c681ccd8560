"""Labelled pictures: a folder for each class, or a CSV file that names pictures and their labels.

Folders called train, val and test are a given split, and so is a column `split`. A CSV has in its
first line a column for the file (`file`, `image` …), one for the label (`label`, `class`, `dx` …)
or a column of 0 and 1 for each class, and perhaps `subject` and `split`. Without a split, subjects
are divided within each class.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from course_lib.cases import subject_split
from course_lib.data import own
from course_lib.data.own import files, folders, given, picture_sets, subjects, tables
from course_lib.data.own.kinds import Labelled, LeftOut, Pictures
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

FILES = ("file", "filename", "file_name", "image", "image_id", "image_path", "path", "img", "name")
LABELS = ("label", "labels", "class", "class_name", "target", "diagnosis", "dx", "category", "y")
IMAGES = ("images", "image", "imgs", "img", "data", "pictures")
MOST_CLASSES = 100


def holds(place: Path) -> bool:
    """Whether pictures below a folder are labelled: by a CSV file, or by their folders."""
    found = folders.pictures(place)
    if not found:
        return False
    return bool(_tables(place)) or of_folders(folders.paths(place, found)) is not None


def read(place: Path, reading: Reading, unverified: bool = False) -> Labelled:
    """The pictures and the class of each.

    Raises CourseError, naming every case, for pictures that cannot be read and lines of the CSV
    without a picture or a label, unless the user skips them; and for fewer than two classes.
    """
    found = folders.pictures(place)
    below = folders.paths(place, found)
    faults: list[LeftOut] = []
    notes: list[str] = []
    rows: dict[str, dict[str, str]] = {}
    if several := _tables(place):
        rows, faults, notes = _of_tables(place, several, below)
        found = [file for file, path in zip(found, below, strict=True) if path in rows]
    else:
        classes = of_folders(below) or [""] * len(below)
        inside = dict(zip(below, classes, strict=True))
        found = [file for file, path in zip(found, below, strict=True) if inside[path]]
        rows = {path: {"label": label} for path, label in inside.items() if label}
        if bare := len(below) - len(rows):
            notes.append(f"{bare} pictures lie in no folder of a class and are not used")
    open_ = picture_sets.opened(found)
    left_out = folders.left_out(place, [*faults, *open_.left_out], reading.skip)
    below = folders.paths(place, [found[k] for k in open_.positions])
    names = folders.names(below)
    told = [rows[path] for path in below]
    people, said = _people(told, below, reading)
    parts = [row.get("split") for row in told]
    if any(parts) and not reading.split:
        below = [f"{part or '-'}/{path}" for part, path in zip(parts, below, strict=True)]
    split, of_split = given.of(place, below, people, reading)
    whole = Pictures(
        source=place,
        provenance="measured: labelled pictures of your own",
        licence="as you know it",
        images=(),
        names=tuple(names),
        subjects=tuple(people),
        given=given.by_name(names, split),
        left_out=left_out,
        notes=(*open_.notes, *notes, *said, *of_split),
    )
    return labelled(whole, open_.pictures, [row["label"] for row in told])


def _people(
    rows: Sequence[dict[str, str]], below: Sequence[str], reading: Reading
) -> tuple[list[str], tuple[str, ...]]:
    """Whom each picture is of, and a sentence on it: by the CSV's column where it has one."""
    named = [row.get("subject", "") for row in rows]
    if reading.subject or not all(named):
        return subjects.of(below, reading), subjects.said(below, reading)
    count = len(set(named))
    return named, (f"{count} subjects from {len(named)} images, by the column of the CSV.",)


def labelled(data: Pictures, images: Any, classes: Sequence[str]) -> Labelled:
    """Pictures with the class of each as labelled images, divided into parts.

    Arguments:
        classes: of each picture; a `tuple` of them in order of their names is one with several.
    Raises CourseError for fewer than two classes, more than a hundred, or a split that cannot be.
    """
    several = any("|" in each for each in classes)
    each = [tuple(filter(None, text.split("|"))) if several else (text,) for text in classes]
    known = sorted({name for names in each for name in names}, key=_order)
    counts = Counter(name for names in each for name in names)
    if not 2 <= len(known) <= MOST_CLASSES:
        raise CourseError(
            f"The pictures in {data.source} have {len(known)} classes ({tables.listed(known)}). "
            f"Expected: 2 to {MOST_CLASSES}."
        )
    numbers = np.array([[name in names for name in known] for names in each], np.int64)
    split = data.given or _within_classes(data.subjects, classes)
    members = own.divided(replace(data, given=split), data.names, data.subjects)
    listed = tables.listed(f"{name} ({counts[name]})" for name in known)
    return Labelled(
        source=data.source,
        provenance=data.provenance,
        licence=data.licence,
        images={part: images.chosen(rows) for part, rows in members.items()},
        labels={
            part: numbers[rows] if several else numbers[rows].argmax(1)
            for part, rows in members.items()
        },
        classes=tuple(known),
        subjects={part: [data.subjects[k] for k in rows] for part, rows in members.items()},
        names={part: [data.names[k] for k in rows] for part, rows in members.items()},
        given=data.given,
        left_out=data.left_out,
        notes=(f"Classes: {listed}.", *data.notes),
        also=(replace(data, images=_greys(images)),),
    )


def _within_classes(people: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Subject → part, so that every class is in every part as far as it has three subjects; a
    subject of several classes counts to its first one. Nothing where there are too few subjects."""
    first: dict[str, str] = {}
    for who, name in zip(people, classes, strict=True):
        first.setdefault(who, name)
    groups: dict[str, list[str]] = {}
    for who, name in first.items():
        groups.setdefault(name, []).append(who)
    whole = [group for group in groups.values() if len(group) >= 3]
    rest = [who for group in groups.values() if len(group) < 3 for who in group]
    split = {who: part for group in whole for who, part in subject_split(group).items()}
    if whole:
        return split | dict.fromkeys(rest, "train")
    return {}


def of_folders(below: Sequence[str]) -> list[str] | None:
    """The class of each picture by the outermost folder that is no part of a split; None where
    these are not classes: fewer than two folders, or each with one picture only.

    >>> of_folders(["train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "test/dog/3.png"])
    ['cat', 'dog', 'cat', 'dog']
    """
    found = []
    for path in below:
        above = PurePosixPath(path).parts[:-1]
        inside = [n for n in above if not subjects.PARTS.fullmatch(n) and n.lower() not in IMAGES]
        found.append(inside[0] if inside else "")
    counts = Counter(filter(None, found))
    whole = 2 <= len(counts) <= MOST_CLASSES and max(counts.values()) > 1
    return found if whole and counts.total() > len(below) / 2 else None


def _greys(images: Any) -> Any:
    from course_lib.data.own.pictures import Greys

    return Greys(images)


def _order(name: str) -> tuple[float, str]:
    """Numbers in their order, then names."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name


def _tables(place: Path) -> list[tuple[Path, list[dict[str, str]], str]]:
    """CSV files that label pictures: the file, its lines, and the column that names a file."""
    found = []
    for file in files.within(place):
        if file.suffix.lower() in (".csv", ".tsv") and len(file.relative_to(place).parts) <= 2:
            rows = _rows(file)
            column = next((name for name in FILES if rows and name in rows[0]), None)
            if column and _labels(rows, column):
                found.append((file, rows, column))
    return found


def _rows(file: Path) -> list[dict[str, str]]:
    """The lines of a CSV by the names of its columns in small letters.

    Raises CourseError when it is no text in UTF-8.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (UnicodeError, OSError) as error:
        raise CourseError(
            f"{file} cannot be read as a CSV: {error}. Save it again as CSV in UTF-8."
        ) from error
    first = text.partition("\n")[0]
    lines = list(csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count)))
    head = [cell.strip().lower() for cell in lines[0]] if lines else []
    return [
        dict(zip(head, (cell.strip() for cell in line), strict=False))
        for line in lines[1:]
        if any(cell.strip() for cell in line)
    ]


def _labels(rows: Sequence[dict[str, str]], column: str) -> list[str]:
    """The column of labels, or the columns of 0 and 1 that stand for a class each."""
    if named := [name for name in LABELS if name in rows[0] and name != column]:
        return named[:1]
    ones = [
        name
        for name in rows[0]
        if name != column and all(row.get(name) in ("0", "1", "0.0", "1.0") for row in rows)
    ]
    return ones if len(ones) > 1 else []


def _of_tables(
    place: Path, several: Sequence[tuple[Path, list[dict[str, str]], str]], below: Sequence[str]
) -> tuple[dict[str, dict[str, str]], list[LeftOut], list[str]]:
    """Path → label, subject and split, what is wrong, and what is not used."""
    by_name: dict[str, list[str]] = {}
    for path in below:
        for name in {path, PurePosixPath(path).name, PurePosixPath(path).stem}:
            by_name.setdefault(name, []).append(path)
    found: dict[str, dict[str, str]] = {}
    faults = []
    for file, rows, column in several:
        columns = _labels(rows, column)
        for number, row in enumerate(rows, 2):
            where = f"line {number} of {file.name}"
            name = row.get(column, "").replace("\\", "/").removeprefix("./")
            mine = by_name.get(name) or by_name.get(PurePosixPath(name).name) or []
            text = _label(row, columns)
            if len(mine) != 1:
                what = f"{len(mine)} pictures are" if mine else "no picture is"
                faults.append(LeftOut(where, f"{where}: {what} called {name!r}"))
            elif not text:
                faults.append(LeftOut(where, f"{where} gives {name} no label"))
            elif found.get(mine[0], {}).get("label", text) != text:
                said = f"{where} labels {name} {text!r}, before {found[mine[0]]['label']!r}"
                faults.append(LeftOut(where, said))
            else:
                part = next((row[c] for c in given.COLUMNS if row.get(c)), "")
                part = part or (file.stem if given.word(file.stem) else "")
                whose = next((row[c] for c in subjects.COLUMNS if row.get(c)), "")
                found[mine[0]] = {"label": text, "split": part, "subject": whose}
    rest = len(below) - len(found)
    notes = [f"{rest} pictures have no label and are not used"] if rest else []
    names = tables.listed(file.name for file, *_ in several)
    return found, faults, [f"Labels are those of {names}", *notes]


def _label(row: dict[str, str], columns: Sequence[str]) -> str:
    """A line's class; classes of their own columns are joined by a bar."""
    if len(columns) == 1:
        text = row.get(columns[0], "")
        return "" if text.lower() in ("nan", "na", "none", "null") else text.replace("|", "/")
    true = [name for name in columns if float(row[name]) == 1]
    return "|".join(true) if true else ""
