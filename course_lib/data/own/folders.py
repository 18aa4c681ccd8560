"""Picture files in folders: which ones there are, what they are called, what is left out."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.data.own import files, pixels, tables
from course_lib.data.own.kinds import LeftOut
from course_lib.errors import CourseError

TELLING = (".json", ".csv", ".tsv", ".xml", ".txt", ".yaml", ".yml")
ABOUT = re.compile(r"readme|licen[cs]e|citation|changes|about", re.IGNORECASE)


def pictures(place: Path) -> list[Path]:
    """All picture files below a folder, in the order of their names; none that systems leave
    behind, such as `._a.png`."""
    return [file for file in files.within(place) if file.suffix.lower() in pixels.SUFFIXES]


def paths(place: Path, found: Sequence[Path]) -> list[str]:
    """Where each file lies below the folder, `/` between folders."""
    return [file.relative_to(place).as_posix() for file in found]


def names(below: Sequence[str]) -> list[str]:
    """A name of its own for each path: the file's without its ending, with its folders where two
    files are called alike, and with its ending where those agree too.

    >>> names(["x/a.png", "y/a.png", "y/b.png"]), names(["a.png", "a.tif"])
    (['x/a', 'y/a', 'y/b'], ['a.png', 'a.tif'])
    """
    whole = [str(PurePosixPath(path).with_suffix("")) for path in below]
    for short in ([PurePosixPath(path).name for path in whole], whole):
        if max(Counter(short).values(), default=0) < 2:
            return list(map(tables.readable, short))
    return list(map(tables.readable, below))


def beside(place: Path) -> tuple[list[LeftOut], list[LeftOut]]:
    """What lies beside pictures and may say something of them: files that are broken, and those in
    which nothing was understood."""
    broken, unread = [], []
    for file in files.within(place):
        if file.suffix.lower() in TELLING and not ABOUT.match(file.name):
            name = file.relative_to(place).as_posix()
            try:
                text = file.read_text("utf-8-sig")
                if file.suffix.lower() == ".json":
                    json.loads(text)
            except (OSError, ValueError, RecursionError) as error:
                broken.append(LeftOut(name, f"{name} cannot be read: {error}"))
                continue
            unread.append(LeftOut(name, "no boxes, labels or masks that are understood"))
    return broken, unread


def left_out(place: Path, faults: Sequence[LeftOut], skip: bool) -> tuple[LeftOut, ...]:
    """What is left out.

    Raises CourseError that names everything, unless the user said `--skip`.
    """
    if faults and not skip:
        words = [e.why if e.name in e.why else f"{e.name}: {e.why}" for e in faults]
        listed = tables.listed([word.rstrip(".") for word in words])
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise CourseError(
            f"{count} in {place}: {listed}. Mend them, or leave out such pictures with --skip."
        )
    return tuple(faults)
