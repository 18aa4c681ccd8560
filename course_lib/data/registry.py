"""What data sets exist: `datasets/registry.yaml` as plain objects."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import yaml

from course_lib.errors import CourseError
from course_lib.files import resource


@dataclass(frozen=True)
class Files:
    """One file of a data set, or a pattern that stands for `count` files.

    `size` is in bytes (of a pattern: the sum). `sha256` is the file's, or of a pattern the hash of
    the list that `sha256sum` prints for its files sorted by name.
    """

    path: str
    size: int
    sha256: str
    count: int = 1

    @property
    def is_pattern(self) -> bool:
        return "*" in self.path


@dataclass(frozen=True)
class DataSet:
    """One entry of the registry; the fields are explained at the top of `registry.yaml`."""

    name: str
    title: str
    package: str
    version: str
    archive: str
    size: int
    sha256: str
    folder: str
    files: tuple[Files, ...]
    licence: str
    citation: str
    card: str
    non_commercial: bool = False
    optional: bool = False


def registry_file() -> Path:
    """Where the registry lies."""
    return resource("datasets") / "registry.yaml"


@lru_cache
def _read(file: Path) -> dict[str, DataSet]:
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        name: DataSet(
            name=name, **{**entry, "files": tuple(Files(**files) for files in entry["files"])}
        )
        for name, entry in entries.items()
    }


def data_sets() -> dict[str, DataSet]:
    """All data sets by name, in the registry's order."""
    return _read(registry_file())


def get(name: str) -> DataSet:
    """The data set of that name; CourseError with the nearest name if there is none."""
    known = data_sets()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
    raise CourseError(f"There is no data set called {name!r}. {hint} `course data list` shows all.")


def chosen(names: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> list[DataSet]:
    """The named sets, or all that are not optional; those in `without` left out."""
    left_out = {get(name).name for name in without}
    wanted = [get(name) for name in dict.fromkeys(names)] or [
        data_set for data_set in data_sets().values() if not data_set.optional
    ]
    return [data_set for data_set in wanted if data_set.name not in left_out]
