"""What a report does not give away: folders of the machine, and who the user's patients are.

A report is made to be handed on. So a path is shown as `…/name`, and of data of one's own the
subjects and their images are numbered, because folders and files are often called after people.
`course report --names` shows all as it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from course_lib.benchmark.grouping import Record
from course_lib.cases import is_own
from course_lib.data.own.reading import parse, short
from course_lib.data.own.tables import ENDINGS
from course_lib.errors import CourseError

PART = r"[^/\\\s'\"<>|:;,()\[\]{}?]+"
INNER = rf"{PART}(?: {PART})*"  # a folder's name may hold blanks; where a text goes on, who knows
FOLDERS = re.compile(
    rf"(?<![\w.…/\\~+-])(?<!base64,)(?:~?(?:/{INNER}(?=/))+/{PART}/?|~/{PART}/?|"
    rf"[A-Za-z]:(?:\\+{INNER}(?=\\))*\\+{PART})"
)
FILE = re.compile(
    rf"[^\s'\"/\\,;()]+({'|'.join(re.escape(end) for end in ENDINGS)})(?!\w)", re.IGNORECASE
)
LEFT_OUT = re.compile(r"^Left out: (.+?): ", re.DOTALL)
MORE = re.compile(r" and (\d+) more$")

Change = Callable[[str], str]
People = tuple[dict[str, str], dict[str, str]]


def paths(text: str) -> str:
    """Every absolute path in a text, without the folders above its last part.

    >>> paths("read /home/ada/scans/p1.nii, 3/4 of https://x.org/a/b")
    'read …/p1.nii, 3/4 of https://x.org/a/b'
    """
    return FOLDERS.sub(lambda found: "…/" + re.split(r"[/\\]+", found[0].rstrip("/\\"))[-1], text)


def records(all_of: Iterable[Record]) -> list[Record]:
    """The records as a report may show them. What was different stays different: two folders of
    one name, two files of methods."""
    all_of = list(all_of)
    data = _apart((r["job"]["dataset"] for r in all_of), _dataset)
    methods = _apart((r["job"]["method"] for r in all_of), paths)
    people = {name: _numbered(all_of, name) for name in data if is_own(name)}
    return [_record(r, data, methods, people.get(r["job"]["dataset"], ({}, {}))) for r in all_of]


def notebook(content: Any) -> Any:
    """An executed notebook without the folders in its texts; its pictures stay as they are."""
    return _every(content, paths)


def _dataset(name: str) -> str:
    if _place(name) is None:
        return paths(name)
    kind, _, rest = short(name).partition(":")
    return f"{kind}:…/{rest}"


def _place(dataset: str) -> Path | None:
    """Where data of one's own lie. None for others, and where a record of another version says
    things of them that nobody knows now."""
    try:
        return parse(dataset)[0] if is_own(dataset) else None
    except CourseError:
        return None


def _apart(names: Iterable[str], shown: Change) -> dict[str, str]:
    """Name → as it is shown, numbered where two would be shown alike."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        text = plain = shown(name)
        while text in found.values():
            text = f"{plain} ({list(map(_unnumbered, found.values())).count(plain) + 1})"
        found[name] = text
    return found


def _unnumbered(text: str) -> str:
    return re.sub(r" \(\d+\)$", "", text)


def _numbered(all_of: Iterable[Record], dataset: str) -> People:
    """Name of a subject → its number, and name of a case → its subject's and its own."""
    found: dict[str, set[str]] = {}
    for record in all_of:
        if record["job"]["dataset"] == dataset:
            for case in record.get("cases", ()):
                found.setdefault(case["subject"], set()).add(case["case"])
    subjects = {name: f"subject {place}" for place, name in enumerate(sorted(found), 1)}
    cases = {
        case: f"{subjects[name]}, case {place}"
        for name, images in found.items()
        for place, case in enumerate(sorted(images), 1)
    }
    return subjects, cases


def _record(
    record: Record, data: Mapping[str, str], methods: Mapping[str, str], people: People
) -> Record:
    job, (subjects, cases) = record["job"], people
    known = {job["dataset"]: data[job["dataset"]], job["method"]: methods[job["method"]]}
    place = _place(job["dataset"])

    def change(text: str) -> str:
        if text in known:
            return known[text]
        return paths(text.replace(str(place), f"…/{place.name}") if place else text)

    masked = _every({k: v for k, v in record.items() if k != "cases"}, change)
    if "cases" in record:
        masked["cases"] = [
            case
            | {
                "case": cases.get(case["case"], case["case"]),
                "subject": subjects.get(case["subject"], case["subject"]),
            }
            for case in record["cases"]
        ]
    if is_own(job["dataset"]):
        masked["notes"] = [_note(note, cases | subjects) for note in masked.get("notes", ())]
        if masked.get("error"):
            message = _nameless(masked["error"]["message"], cases | subjects)
            masked["error"] = {"type": masked["error"]["type"], "message": message}
    return masked


def _note(note: str, people: Mapping[str, str]) -> str:
    """A note with counts in place of names: `Left out: 3 of them: no label.`"""
    if found := LEFT_OUT.match(note):
        names = MORE.sub("", found[1]).rstrip(",")
        more = MORE.search(found[1])
        count = len(names.split(", ")) + (int(more[1]) if more else 0)
        note = f"Left out: {count}: {note[found.end() :]}"
    return _nameless(note, people)


def _nameless(text: str, people: Mapping[str, str]) -> str:
    text = FILE.sub(r"…\1", text)
    for name in sorted(people, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", people[name], text)
    return text


def _every(value: Any, change: Change) -> Any:
    """The same with every text changed, but for encoded pictures."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            key: item if str(key).startswith("image/") else _every(item, change)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_every(item, change) for item in value]
    return value
