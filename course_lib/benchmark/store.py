"""Records on disk, one folder per job: `<store>/<key>/record.json` and what belongs to it.

A folder appears whole or not at all. Work in flight lies in `.partial-…` folders, which a later
sweep clears away when the process that made them is gone.
"""

import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.files import atomic

Record = dict[str, Any]
KEY_LENGTH = 20


class Store:
    """A folder of records."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def place(self, key: str) -> Path:
        """The folder of the job with this key."""
        return self.folder / key[:KEY_LENGTH]

    def read(self, key: str) -> Record | None:
        """The record of a job, or None."""
        return _read(self.place(key) / "record.json")

    def done(self, key: str) -> bool:
        """Whether the job has been finished; a failed job has not."""
        record = self.read(key)
        return record is not None and record["status"] == "done"

    def records(self) -> list[Record]:
        """All records, in the order of task, method, data set, profile and seed."""
        found = [_read(path) for path in sorted(self.folder.glob("[!.]*/record.json"))]
        order = ("task", "method", "dataset", "profile", "seed")
        return sorted(
            (record for record in found if record),
            key=lambda record: [str(record["job"][name]) for name in order],
        )

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A temporary folder that becomes the job's folder if the block succeeds."""
        partial = self.folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise CourseError(
                f"Cannot write records to {self.folder} ({error.strerror}). "
                "Choose another folder with --store."
            ) from error
        try:
            yield partial
            self._move(partial, self.place(key))
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _move(self, partial: Path, place: Path) -> None:
        """Puts the finished folder in its place; an earlier failed record gives way."""
        aside = partial.with_name(partial.name + "-old")
        if place.exists():
            os.replace(place, aside)
        os.replace(partial, place)
        shutil.rmtree(aside, ignore_errors=True)

    def clear(self) -> None:
        """Removes what a killed process left half-written."""
        for partial in self.folder.glob(".partial-*"):
            if not alive(int(partial.name.split("-")[1])):
                shutil.rmtree(partial, ignore_errors=True)


def _read(path: Path) -> Record | None:
    try:
        return _numbers(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CourseError(
            f"The record {path} is damaged ({error}). Delete its folder and run the job again."
        ) from error


def write_json(path: Path, content: Any) -> Any:
    """Writes JSON that a person can read too, and returns what `read` would give back: undefined
    numbers (nan) become null, and infinite ones, such as the PSNR of a perfect answer, the words
    "inf" and "-inf", because JSON has neither."""
    with atomic(path) as temporary:
        text = json.dumps(_words(content), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text, "utf-8")
    return _numbers(_words(content))


def _words(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {key: _words(item) for key, item in value.items()}
    return [_words(item) for item in value] if isinstance(value, list | tuple) else value


def _numbers(value: Any, scores: bool = False) -> Any:
    """JSON with the scores "inf" and "-inf" as numbers; elsewhere they are only words."""
    if isinstance(value, dict):
        return {
            key: _numbers(item, scores or key in ("scores", "validation", "losses", "terms"))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_numbers(item, scores) for item in value]
    return float(value) if scores and value in ("inf", "-inf") else value


def alive(process: int) -> bool:
    """Whether a process still works; one that was killed but not yet buried does not."""
    import psutil

    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
