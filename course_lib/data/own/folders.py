"""Picture files in folders: which ones there are, what they are called, what is left out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from course_lib.data.own import files, pixels, tables
from course_lib.data.own.kinds import LeftOut
from course_lib.errors import CourseError


def pictures(place: Path) -> list[Path]:
    """All picture files below a folder, in the order of their names; none that systems leave
    behind, such as `._a.png`."""
    return [file for file in files.within(place) if file.suffix.lower() in pixels.SUFFIXES]


def names_of(place: Path, found: Sequence[Path]) -> list[str]:
    """A name of its own for each file: its path below the folder, without the ending where that
    leaves no two alike."""
    paths = [file.relative_to(place).as_posix() for file in found]
    short = [path[: -len(Path(path).suffix)] if Path(path).suffix else path for path in paths]
    often = Counter(short)
    return [path if often[few] > 1 else few for path, few in zip(paths, short, strict=True)]


def left_out(place: Path, faults: Sequence[LeftOut], skip: bool) -> tuple[LeftOut, ...]:
    """What is left out.

    Raises CourseError that names everything, unless the user said `--skip`.
    """
    if faults and not skip:
        words = [each.why if each.name in each.why else f"{each.name}: {each.why}" for each in faults]
        listed = tables.listed([word.rstrip(".") for word in words])
        raise CourseError(
            f"{len(faults)} faults in {place}: {listed}. Mend them, or leave out such pictures with "
            "--skip."
        )
    return tuple(faults)
