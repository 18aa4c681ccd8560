"""Which records belong together: of one job, of one row, of one section and of the same bytes."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from course_lib.errors import CourseError

Record = Mapping[str, Any]
NEVER = datetime.min.replace(tzinfo=UTC)
LONGEST_NAME = 60  # letters of a slug before its hash


def section_of(record: Record) -> tuple[str, str, str]:
    """Task, data set and profile."""
    job = record["job"]
    return job["task"], job["dataset"], job["profile"]


def row_of(record: Record) -> tuple[str, str]:
    """Method and options; a number and the text of it are two options."""
    options = record["job"].get("options") or {}
    return record["job"]["method"], json.dumps(options, sort_keys=True)


def slug(*parts: str) -> str:
    """A name for files and anchors: letters that every file system tells apart, short, and never
    the same for two things. What had to be changed or cut is told by a hash at the end.

    >>> slug("denoising", "chest", "smoke")
    'denoising-chest-smoke'
    """
    while parts and not parts[-1]:  # nothing at the end adds nothing
        parts = parts[:-1]
    plain = "-".join(parts)
    text = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:LONGEST_NAME].strip("-")
    if text == plain and all(part and "-" not in part for part in parts):
        return text
    mark = hashlib.sha256(json.dumps(parts).encode("utf-8", "backslashreplace")).hexdigest()
    return f"{text}-{mark[:8]}"


def moment(record: Record) -> datetime:
    """When a job was started, whatever the time zone. A time that nobody can read, or that is yet
    to come, is no evidence that a record is new: it counts as the oldest."""
    try:
        when = datetime.fromisoformat(record["started"])
    except ValueError:
        return NEVER
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return NEVER if when > datetime.now(UTC) + timedelta(days=1) else when


class Bytes:
    """The data behind the records of one section, newest first, told apart by their hashes.

    Only data sets that every finished job used decide: a method may bring further ones, such as
    weights.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        records = list(records)
        named = [self._named(r) for r in records if r.get("data")]
        shared = set.intersection(*(set(n) for n in named)) if named else set()
        self.differing = sorted(n for n in shared if len({found[n] for found in named}) > 1)
        times: dict[str, datetime] = {}
        for record in records:
            if record.get("data"):
                version = self._version(record)
                times[version] = max(times.get(version, NEVER), moment(record))
        self.versions = sorted(times, key=lambda v: (times[v], v), reverse=True) or [""]

    @staticmethod
    def _named(record: Record) -> dict[str, str]:
        return {item["name"]: item["sha256"] or "unknown" for item in record["data"]}

    def _version(self, record: Record) -> str:
        hashes = [self._named(record)[name] for name in self.differing]
        if len(hashes) < 2:
            return "".join(hashes)
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()

    def of(self, record: Record) -> str:
        """The hash of a record's data, "" where all are of the same; a failed job, which does not
        say, is taken to be of the newest."""
        return self._version(record) if record.get("data") else self.versions[0]


def bytes_behind(records: Iterable[Record]) -> dict[tuple, Bytes]:
    """Section → the data behind its records."""
    members: dict[tuple, list[Record]] = {}
    for record in records:
        members.setdefault(section_of(record), []).append(record)
    return {place: Bytes(found) for place, found in members.items()}


def latest(records: Iterable[Record]) -> list[Record]:
    """One record per job and data: a finished one before a failed one, then the one started last,
    so that older versions of the code do not count twice. See `moment` for clocks that are wrong.
    """
    records = list(records)
    known = bytes_behind(records)
    newest: dict[tuple, Record] = {}

    def order(record: Record) -> tuple:
        return record["status"] == "done", moment(record), record["key"]

    for record in sorted(records, key=order):
        place = section_of(record)
        job = (*place, known[place].of(record), *row_of(record), record["job"]["seed"])
        newest[job] = record
    return list(newest.values())


def meaning(records: Sequence[Record]) -> tuple[str, dict[str, dict[str, str]], list[str]]:
    """The headline of a section, what its metrics mean, and which records say otherwise.

    The question in the catalogue decides; where it is unknown, what most records say.

    Returns the headline, metric → unit, better, text, and sentences.
    """
    done = [record for record in records if record["status"] == "done"]
    if not done:
        return "", {}, []
    headline, known = _asked(done[0])
    names = dict.fromkeys(name for record in done for name in record["metrics"])
    specs = {name: _spec(name, done, known) for name in names}
    if headline not in specs:
        headline = Counter(record["headline"] for record in done).most_common(1)[0][0]
    return headline, specs, [s for record in done for s in _disagreements(record, specs)]


def _asked(record: Record) -> tuple[str, dict[str, dict[str, str]]]:
    """Headline and metrics of the record's question in the catalogue, if it is there. Where the
    data decide what ranks, only the record knows the headline."""
    from course_lib import catalogue

    try:
        found = list(catalogue.questions(record["job"]["task"]))
    except CourseError:
        return "", {}
    question = next((q for q in found if q.id == record.get("question")), None)
    if question is None:
        return "", {}
    metrics = {name: asdict(metric) for name, metric in question.metrics.items()}
    return "" if question.ranked_by else question.headline, metrics


def _spec(name: str, done: Sequence[Record], known: Mapping[str, dict]) -> dict[str, str]:
    said = [json.dumps(r["metrics"][name], sort_keys=True) for r in done if name in r["metrics"]]
    return json.loads(Counter(said).most_common(1)[0][0]) | known.get(name, {})


def _disagreements(record: Record, specs: Mapping[str, dict]) -> list[str]:
    """What a record says of a metric that its question does not."""
    who = f"The record {record['key'][:12]} of {record['job']['method']}"
    found = []
    for name, said in record["metrics"].items():
        if said["better"] != specs[name]["better"]:
            found.append(
                f"{who} says that {said['better']} {name} is better; {specs[name]['better']} is."
            )
        if said["unit"] != specs[name]["unit"]:
            units = [
                repr(unit) if unit else "no unit" for unit in (said["unit"], specs[name]["unit"])
            ]
            found.append(
                f"{who} gives {name} in {units[0]}, not {units[1]}: its values are left out."
            )
    return found


def differing_code(records: Sequence[Record]) -> list[str]:
    """What of the code that made the finished records of a section differs among them, where they
    say it: the parts that all methods share, and methods whose seeds were made by two codes."""
    shared: dict[str, set[str]] = {}
    methods: dict[str, set[str]] = {}
    for record in records:
        code = record.get("code")
        if record["status"] != "done" or not code:
            continue
        parts = code if isinstance(code, Mapping) else {"method": code}
        for part, mark in parts.items():
            if part == "method":
                methods.setdefault(record["job"]["method"], set()).add(str(mark))
            else:
                shared.setdefault(part, set()).add(str(mark))
    return [name for found in (shared, methods) for name, marks in found.items() if len(marks) > 1]
