"""Records on disk, one folder per job: `<store>/<key>/record.json` and what belongs to it.

A folder appears whole or not at all, and a record carries its own checksum and those of the files
beside it. Work in flight lies in `.partial-…` folders, which a later sweep clears away when the
process that made them is gone; `.claim-…` says who works on a job.
"""

import hashlib
import json
import logging
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_lib.benchmark import claims
from course_lib.errors import CourseError, Refused
from course_lib.files import PACKAGE, atomic, readable, settle, sha256

Record = dict[str, Any]
KEY_LENGTH = 20
ORDER = ("task", "method", "dataset", "profile", "seed")
SCHEMA = PACKAGE / "benchmark" / "record.schema.json"
LONGEST = 200  # letters of what is wrong with a record
DAY_S = 24 * 3600  # work of another machine that was not touched for so long is given up
LOG = logging.getLogger(__name__)


class Store:
    """A folder of records."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def place(self, key: str) -> Path:
        """The folder of the job with this key."""
        return self.folder / key[:KEY_LENGTH]

    def read(self, key: str) -> Record | None:
        """The record of a job, or None. Raises CourseError when it is damaged."""
        return read(self.place(key) / "record.json")

    def done(self, key: str) -> bool:
        """Whether the job has been finished, and all that it left is whole; a failed job has not
        been finished."""
        try:
            record = self.read(key)
        except CourseError:
            return False
        if record is None or record["status"] != "done" or record["key"] != key:
            return False
        return all(_whole(self.place(key) / name, digest) for name, digest in _files(record))

    def records(self) -> list[Record]:
        """The records that can be believed, in the order of task, method, data set, profile and
        seed; what is damaged is logged. Left out are those of code that was changed in memory:
        they say nothing of the method whose name they bear."""
        found, damaged = self.survey()
        for sentence in damaged:
            LOG.warning(sentence)
        return found

    def survey(self) -> tuple[list[Record], list[str]]:
        """The same records, and a sentence on each that is damaged."""
        found, damaged = [], []
        for path in sorted(self.folder.glob("[!.]*/record.json")):
            try:
                record = read(path)
            except CourseError as error:
                damaged.append(str(error))
                continue
            if record is not None and not record.get("patched"):
                found.append(record)
        found.sort(key=lambda record: [str(record["job"][name]) for name in ORDER])
        return found, damaged

    def claimed(self, key: str) -> AbstractContextManager[bool]:
        """Whether this process, and no other, works on the job until the block ends."""
        return claims.claimed(self.folder / f".claim-{key[:KEY_LENGTH]}")

    @contextmanager
    def writing(self, key: str | None = None) -> Iterator[Path]:
        """A temporary folder that becomes the job's folder if the block succeeds. Where another
        process has finished the job in the meantime, its record stays.

        Arguments:
            key: by default the one that the record names.
        """
        with self._partial() as partial:
            yield partial
            record = _seal(partial)
            self._move(partial, key or record["key"])

    @contextmanager
    def _partial(self) -> Iterator[Path]:
        partial = self.folder / f".partial-{claims.me()}-{secrets.token_hex(4)}"
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise Refused(
                f"Cannot write records to {self.folder} ({error.strerror}). "
                "Choose another folder with --store."
            ) from error
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _move(self, partial: Path, key: str) -> None:
        """Puts the finished folder in its place. An earlier failed or damaged record gives way at
        one moment: that at which record.json, the last of the files, is replaced."""
        place = self.place(key)
        try:
            os.rename(partial, place)
        except OSError:
            if place.is_dir() and self.done(key):
                return
            try:
                _replace(partial, place)
            except (NotADirectoryError, IsADirectoryError, FileNotFoundError) as error:
                raise CourseError(
                    f"{place} is in the way: it, or something in it, is not what a job leaves "
                    f"there ({error.strerror}). Move it away and run the job again."
                ) from error
        settle(self.folder)

    def clear(self) -> None:
        """Removes what killed processes of this machine left half-written, and what one of another
        machine has not touched for a day."""
        for partial in self.folder.glob(".partial-*"):
            living = claims.lives(partial.name.removeprefix(".partial-"))
            if living is False or (living is None and _untouched(partial)):
                shutil.rmtree(partial, ignore_errors=True)
        for claim in self.folder.glob(".claim-*"):
            if claims.abandoned(claim):
                claims.release(claim)


def _replace(partial: Path, place: Path) -> None:
    names = sorted(os.listdir(partial), key=lambda name: name == "record.json")
    for name in names:
        os.replace(partial / name, place / name)
    for old in {*os.listdir(place)} - {*names}:
        with suppress(OSError):
            (place / old).unlink()
    settle(place)


def beside(folder: Path, name: object) -> Path | None:
    """A file that a record names, if it lies in the record's own folder, and nowhere else."""
    if not isinstance(name, str) or not name or Path(name).name != name:
        return None
    path = folder / name
    return path if path.is_file() and path.resolve().parent == folder.resolve() else None


def _untouched(partial: Path) -> bool:
    with suppress(OSError):
        return min(map(claims.age, [partial, *partial.iterdir()])) > DAY_S
    return False


def _files(record: Record) -> list[tuple[str, str]]:
    return list((record.get("files") or {}).items())


def _whole(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _seal(folder: Path) -> Record:
    """Writes checksums into the record: of the files beside it, and of all that it says."""
    file = folder / "record.json"
    record = json.loads(file.read_text("utf-8"))
    beside = sorted(path for path in folder.iterdir() if path.is_file() and path != file)
    for path in beside:
        settle(path)
    record["files"] = {path.name: sha256(path) for path in beside}
    return write_json(file, record | {"sha256": digest(record)})


def digest(record: Record) -> str:
    """SHA-256 of all that a record says, its own checksum left out."""
    said = {name: value for name, value in record.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read(path: Path, sealed: bool = True) -> Record | None:
    """A record's file, or None if there is none. Raises CourseError when it is damaged.

    Arguments:
        sealed: it lies in a store, with a checksum, in the folder of its key.
    """
    try:
        record = json.loads(path.read_text("utf-8"), parse_constant=_no_number)
        if sealed and isinstance(record, dict):
            _look_at_seal(path, record)
        _schema()(record)
    except FileNotFoundError:
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise _damaged(path, str(error).replace("data", "it", 1)[:LONGEST]) from error
    return _numbers(record)


def _look_at_seal(path: Path, record: Record) -> None:
    if "sha256" not in record:
        raise ValueError("it has no checksum: an earlier version wrote it, or somebody edited it")
    if record["sha256"] != digest(record):
        raise ValueError("its content is not what was written: it fails its checksum")
    if str(record.get("key"))[:KEY_LENGTH] != path.parent.name:
        raise ValueError("it lies in the folder of another job")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


@lru_cache(maxsize=1)
def _schema() -> Callable[[Any], Any]:
    """What raises ValueError for that which is no record."""
    import fastjsonschema

    return fastjsonschema.compile(json.loads(SCHEMA.read_text("utf-8")))


def _damaged(path: Path, why: str) -> CourseError:
    return CourseError(
        f"The record {path} is damaged ({why}). It does not count; delete its folder, or run the "
        "job again, which replaces it."
    )


def write_json(path: Path, content: Any) -> Any:
    """Writes JSON that a person can read too, and returns what reading it gives back: undefined
    numbers (nan) become null; infinite scores, such as the PSNR of a perfect answer, are written as
    "inf" and "-inf", because JSON has neither, other infinite numbers as null; characters that no
    file can hold are spelled out."""
    with atomic(path) as temporary:
        text = json.dumps(_words(content), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text, "utf-8")
    return _numbers(_words(content))


SCORES = ("scores", "validation", "losses", "terms")
"""What of a record holds scores by name."""


def _words(value: Any, scores: bool = False) -> Any:
    """What JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if scores and math.isinf(value) else None
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {_words(key): _words(item, scores or key in SCORES) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_words(item, scores) for item in value]
    return value


def _numbers(value: Any, scores: bool = False) -> Any:
    """JSON with the scores "inf" and "-inf" as numbers; elsewhere they are only words."""
    if isinstance(value, dict):
        return {key: _numbers(item, scores or key in SCORES) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item, scores) for item in value]
    return float(value) if scores and value in ("inf", "-inf") else value
