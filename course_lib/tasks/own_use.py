"""What of the user's own data a question uses: as much as a profile's budget holds, and a sentence
that says so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from course_lib.cases import subject_order
from course_lib.data import own
from course_lib.data.own import tables
from course_lib.data.volume import Head, Volume
from course_lib.errors import CourseError

OUTLIER = 3.0  # times the median side
VERBS = {"train": "to train", "validation": "to validate", "test": "to test"}


def chosen(
    members: Mapping[str, Sequence[int]], subjects: Sequence[str], most: Mapping[str, int]
) -> dict[str, list[int]]:
    """Part → at most so many of its positions, subjects in the order of their hashes: which are
    used does not follow from how somebody numbered the files."""
    order = {who: place for place, who in enumerate(subject_order(subjects))}
    return {
        part: sorted(sorted(rows, key=lambda row: (order[subjects[row]], row))[: most[part]])
        for part, rows in members.items()
    }


def one_unit(data: own.OwnData, heads: Sequence[Head]) -> None:
    """Raises CourseError when some images are in HU and others are not: their numbers do not mean
    the same."""
    units: dict[str, list[str]] = {}
    for head in heads:
        units.setdefault(head.unit, []).append(head.case)
    if len(units) > 1:
        said = " and ".join(
            f"{tables.listed(who, 4)} {'hold' if who[1:] else 'holds'} {unit}"
            for unit, who in units.items()
        )
        raise CourseError(
            f"The images in {data.source} are in several units: {said}, as far as their files say. "
            "If all are of one, say --unit HU or --unit a.u.; CT and MR are two data sets."
        )


def sizes(found: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How many each part has."""
    return {part: len(rows) for part, rows in found.items()}


def used(kept: Mapping[str, int], there: Mapping[str, int], things: str) -> str:
    """How many of the things that there are in each part are used.

    >>> used({"train": 60, "test": 20}, {"train": 120, "test": 20}, "volumes")
    'Used: 60 of 120 volumes to train, all 20 to test.'
    """
    said: list[str] = []
    for part, count in kept.items():
        share = f"all {count}" if count == there[part] else f"{count} of {there[part]}"
        said.append(f"{share} {things + ' ' if not said else ''}{VERBS[part]}")
    return f"Used: {', '.join(said)}."


class Some(Sequence[Volume]):
    """Some of many volumes, each read when it is asked for. `heads`: what is known before."""

    def __init__(self, data: own.Scans, rows: Sequence[int]) -> None:
        self.volumes, self.rows = data.volumes, rows
        self.heads = tuple(data.heads[row] for row in rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.volumes[self.rows[place]]


def only(data: own.Scans, rows: Sequence[int]) -> own.Scans:
    """The data with some of their volumes."""
    return replace(data, volumes=Some(data, rows))


@dataclass(frozen=True)
class Shares:
    """Which volumes each part uses, and how many pieces (slices, blocks) of each.

    Arguments:
        rows: part → positions among the data's volumes.
        each: part → pieces of each volume.
        said: a sentence on them.
    """

    data: own.Scans
    rows: Mapping[str, Sequence[int]]
    each: Mapping[str, int]
    said: str

    def volumes(self, part: str) -> Iterator[Volume]:
        """The volumes of a part, one after the other, so that they need not all be kept."""
        return (self.data.volumes[row] for row in self.rows[part])


def shares(
    data: own.Scans, each: Mapping[str, int], total: Mapping[str, int], pieces: str
) -> Shares:
    """At most `total` pieces in each part, at most `each` of a volume: rather few of many people
    than many of few. By the given split, else by subject."""
    known = data.heads
    subjects = [head.subject for head in known]
    members = own.divided(data, [head.case for head in known], subjects)
    per = {p: max(1, min(each[p], total[p] // len(rows))) for p, rows in members.items()}
    kept = chosen(members, subjects, {part: total[part] // per[part] for part in per})
    taken, there = (sizes(found) for found in (kept, members))
    most = ", ".join(str(count) for count in per.values())
    said = f"{used(taken, there, 'volumes')[:-1]}; at most {most} {pieces} of each."
    return Shares(data, kept, per, said)


def far_larger(data: own.OwnData, known: Sequence[Head], skip: bool) -> list[str]:
    """The volumes that are far larger than most, such as a whole head among crops: on one grid
    with them all others would become coarse.

    Raises CourseError that names them unless they may be left out.
    """
    usual = [median(sides) for sides in zip(*(head.extent_mm for head in known), strict=True)]
    large = [
        head
        for head in known
        if any(n > OUTLIER * m for n, m in zip(head.extent_mm, usual, strict=True))
    ]
    if large and not skip:
        said = tables.listed(f"{head.case} ({millimetres(head.extent_mm)})" for head in large)
        raise CourseError(
            f"Most volumes in {data.source} are about {millimetres(usual)} (z, y, x) large, but "
            f"not {said}. On one grid all others would become coarse: crop them alike, or leave "
            "them out with --skip."
        )
    return [head.case for head in large]


def pixels(known: Sequence[Head], size_mm: float, why: str) -> str:
    """What became of the pixels within slices, in a sentence."""
    native = sorted(min(head.spacing_mm[1:]) for head in known)[len(known) // 2]
    if abs(size_mm / native - 1) < 0.01:
        return f"Pixels of {size_mm:.3g} mm, as in the files."
    return f"Pixels of {size_mm:.3g} mm instead of the files' {native:.3g} mm: {why}."


def millimetres(values: Sequence[float]) -> str:
    """Sides along z, y and x in words.

    >>> millimetres((2.5, 0.70001, 0.7))
    '2.5 x 0.7 x 0.7 mm'
    """
    return " x ".join(f"{value:.3g}" for value in values) + " mm"
