"""Small tables of the user's: what is said of each image or subject, as CSV, TSV or JSON."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from course_lib.errors import CourseError

SUFFIXES = (".csv", ".tsv", ".json")
ENDINGS = (
    *(".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".dcm", ".npy", ".npz", ".h5"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp"),
)


def is_table(answer: str) -> bool:
    """Whether an answer is the name of a table."""
    return answer.lower().endswith(SUFFIXES)


def stem(path: str) -> str:
    """The name of a file without its folder and its ending.

    >>> stem("imagesTr/a.b.nii.gz"), stem("IM0001")
    ('a.b', 'IM0001')
    """
    name = PurePosixPath(path).name
    end = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    return name[: len(name) - len(end)]


def load(file: Path, columns: Iterable[str]) -> dict[str, str]:
    """Name → what the table says of it.

    A JSON file holds `{"name": "value"}` or `{"value": ["name", …]}`. A CSV or TSV file says what
    its columns are in its first line: the first of `columns` that it has is the value, the first
    other column the name; a file of two columns needs no such line.

    Raises CourseError when the file is missing, broken or holds neither.
    """
    try:
        text = file.read_text("utf-8-sig")
        rows = _of_json(json.loads(text)) if file.suffix.lower() == ".json" else None
        rows = _of_lines(text, file.suffix.lower(), list(columns)) if rows is None else rows
    except (OSError, ValueError, UnicodeError, csv.Error) as error:
        raise CourseError(f"{file} cannot be read as a table: {error}.") from error
    if not rows:
        raise CourseError(f"{file} names nothing. Expected: a name and a value in each line.")
    return rows


def _of_json(content: object) -> dict[str, str]:
    if not isinstance(content, Mapping):
        raise ValueError('expected an object, {"name": "value"} or {"value": ["name", ...]}')
    rows: dict[str, str] = {}
    for key, value in content.items():
        names = value if isinstance(value, list) else [key]
        if any(isinstance(name, list | Mapping) for name in names):
            raise ValueError(f"the entry {key!r} is no list of names")
        for name in names:
            _put(rows, str(name), str(key if isinstance(value, list) else value))
    return rows


def _put(rows: dict[str, str], name: str, value: str) -> None:
    """Raises ValueError when the table has said something else of the name before."""
    if rows.setdefault(name, value) != value:
        raise ValueError(f"it says two things of {name!r}: {rows[name]!r} and {value!r}")


def _of_lines(text: str, suffix: str, columns: list[str]) -> dict[str, str]:
    first = text.partition("\n")[0]
    mark = "\t" if suffix == ".tsv" else max(",;\t", key=first.count)
    lines = [
        [cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=mark)
    ]
    lines = [line for line in lines if any(line)]
    head = [cell.lower() for cell in lines[0]] if lines else []
    known = next((column for column in columns if column in head), None)
    if known is None:
        if any(len(line) != 2 for line in lines):
            raise ValueError(f"no column is called {' or '.join(columns)}")
        return _rows((line[0], line[1]) for line in lines)
    value = head.index(known)
    name = next((k for k in range(len(head)) if k != value), value)
    short = [n for n, line in enumerate(lines, 1) if len(line) <= max(name, value)]
    if short:
        raise ValueError(f"line {short[0]} has too few columns")
    return _rows((line[name], line[value]) for line in lines[1:])


def _rows(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, value in pairs:
        _put(rows, name, value)
    return rows


def found(table: Mapping[str, str], path: str, *others: str) -> str | None:
    """What a table says of an image: by its path below the folder, its file name, that name without
    its ending, or any of `others`."""
    for name in (path, PurePosixPath(path).name, stem(path), *others):
        if name in table:
            return table[name]
    return None


def readable(name: str) -> str:
    """A file's name as text that can be written: bytes that are no UTF-8 as their numbers.

    >>> readable("M\\udcfcller.nii")
    'M\\\\xfcller.nii'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listed(names: Iterable[str], most: int = 10) -> str:
    """The names, at most ten, and how many more there are.

    >>> listed("abc", 2)
    'a, b, and 1 more'
    """
    names = list(map(readable, names))
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
