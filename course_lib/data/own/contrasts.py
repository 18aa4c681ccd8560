"""Images with what belongs to them, and which of several contrasts is meant."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.data.own import tables
from course_lib.data.own.kinds import LeftOut
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError


@dataclass(frozen=True)
class Case:
    """One image: its file, the files of what belongs to it, and which volume of the file it is.

    Arguments:
        name: unique in the data set.
        path: of the image below the data's folder, `/` between folders.
        others: `label` or `target` → file.
    """

    name: str
    path: str
    image: Path
    others: dict[str, Path] = field(default_factory=dict)
    unit: str = "a.u."
    volume: int = 0


@dataclass
class Layout:
    """What a folder holds.

    Arguments:
        bad: name of a case that cannot be used → why.
        names: label number → structure.
    """

    cases: list[Case] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    provenance: str = "measured: volumes of your own"
    licence: str = "as you know it"


@dataclass
class Group:
    """The files of one image: contrast → images, label maps, targets."""

    images: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    labels: list[Path] = field(default_factory=list)
    targets: list[Path] = field(default_factory=list)


def of_one_contrast(
    place: Path, groups: dict[str, Group], reading: Reading, layout: Layout
) -> dict[str, tuple[str, list[Path]]]:
    """Key → contrast and images of it."""
    having: dict[str, list[str]] = defaultdict(list)
    for key, group in groups.items():
        for contrast in group.images:
            having[contrast].append(key)
    if len(having) > 1:
        picked = choose(list(having), reading.series)
        if picked is None:
            said = "; ".join(
                f"{name or 'no contrast named'} of {len(keys)} ({tables.listed(keys, 4)})"
                for name, keys in having.items()
            )
            asked = f"{reading.series!r} is none or several of them" if reading.series else "which?"
            raise CourseError(
                f"{place} holds several contrasts: {said}. {asked.capitalize()} Choose one with "
                f"--series, for example --series {next(name for name in having if name)}."
            )
        contrast = picked
        for name, keys in having.items():
            if name != contrast:
                layout.left_out.append(
                    LeftOut(f"{name or 'no contrast named'} of {len(keys)}", f"not {contrast}")
                )
        for key in [key for key in groups if contrast not in groups[key].images]:
            layout.left_out.append(LeftOut(key, f"has no {contrast}"))
    else:
        contrast = next(iter(having))
        groups = _called(place, groups, contrast, reading.series, layout)
    layout.notes += [f"The images are {contrast}."] if contrast else []
    return {k: (contrast, g.images[contrast]) for k, g in groups.items() if contrast in g.images}


def _called(
    place: Path, groups: dict[str, Group], contrast: str, series: str, layout: Layout
) -> dict[str, Group]:
    """The groups whose images are called as the user chose, where no contrast was recognised."""
    if series.lower() in contrast.lower() or series.isdigit():  # a number is that in a 4D file
        return groups
    kept = {}
    for key, group in groups.items():
        path = group.images[contrast][0].relative_to(place).as_posix()
        if series.lower() in path.lower():
            kept[key] = group
        else:
            layout.left_out.append(LeftOut(path, f"not {series}"))
    if not kept:
        raise CourseError(
            f"No image in {place} is called {series!r}: all are {contrast or 'of one contrast'}."
        )
    return kept


def choose(names: list[str], series: str) -> str | None:
    """The one name that the user means: the same, or the only one that holds what was said.

    >>> choose(["T1w", "T1wGd"], "t1w"), choose(["T1w", "T1wGd"], "T1"), choose(["a"], "")
    ('T1w', None, None)
    """
    if not series:
        return None
    same = [name for name in names if name.lower() == series.lower()]
    holding = [name for name in names if series.lower() in name.lower()]
    found = same or holding
    return found[0] if len(found) == 1 else None
