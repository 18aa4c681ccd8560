"""Which images of a DICOM folder are volumes, and which of a subject's volumes is meant."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from course_lib.data.own import subjects
from course_lib.data.own.dicom_grid import Grid, stacked
from course_lib.data.own.dicom_headers import TELLING, Plane
from course_lib.errors import CourseError

SOLID = ("CT", "MR", "PT", "NM")
PLANAR = ("CR", "DX", "MG", "IO", "PX", "XA", "RF", "RG", "US", "XC", "OP")
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture, and .1 to .4 of several frames
LOCALISER = re.compile(r"locali[sz]er|scout|topogram|surview|survey|scanogram|\bloc\b", re.I)
LYING = ("sagittal", "coronal", "axial")  # by the axis that the normal of the slices follows


@dataclass(frozen=True, eq=False)
class Series:
    """Images that make one volume, or that cannot, and why.

    Arguments:
        label: description, number, modality, size and what tells it from its neighbours: what
            people see, and what `--series` is looked for in.
        grid: None where they make no volume.
    """

    subject: str
    planes: tuple[Plane, ...]
    label: str
    grid: Grid | None = None
    why: str = ""

    @property
    def first(self) -> Plane:
        return self.planes[0]


def found(whose: Sequence[str], planes: Sequence[Plane]) -> tuple[list[Series], list[Series]]:
    """All series: those that could be volumes (some broken), and those that never are."""
    together: dict[tuple[str, ...], list[Plane]] = defaultdict(list)
    for subject, plane in zip(whose, planes, strict=True):  # a study's number may be damaged
        key = plane.series or plane.path.rpartition("/")[0]
        together[subject, key, _never(plane)].append(plane)
    volumes, others = [], []
    for (subject, _, why), members in together.items():
        if why:
            others.append(Series(subject, tuple(members), _label(members), why=why))
        else:
            for part, words in _sizes(_once(members)):
                volumes += _volumes(subject, part, words)
    alone = [s for s in volumes if len(s.planes) == 1]
    others += [Series(s.subject, s.planes, s.label, why="a single slice") for s in alone]
    return [s for s in volumes if len(s.planes) > 1], others


def _never(plane: Plane) -> str:
    """Why an image is no slice of a volume; empty where it may be one."""
    placed = plane.position is not None and plane.orientation is not None
    kind = plane.telling.get("ImageType", "").upper()
    if not plane.rows or not plane.columns:
        return "cut off, or without pixels" if plane.modality in (*SOLID, *PLANAR) else "no image"
    if not plane.grey:
        return "colour"
    if plane.modality in PLANAR and plane.frames == 1:
        return "a single picture"
    if "LOCALIZER" in kind or LOCALISER.search(plane.description):
        return "a localiser"
    if "MOSAIC" in kind:
        return "a mosaic of slices in one picture (fMRI or diffusion)"
    if plane.sop_class.startswith(CAPTURE) and not (placed and plane.modality in SOLID):
        return "a secondary capture (a screenshot or a text)"
    if plane.modality in ("SEG", "RTDOSE"):
        return "no scan but a result"
    if plane.frames > 1 and not placed:
        return "several frames without positions"
    if not placed:
        return "no position"
    return "" if plane.spacing else "no size of pixels"


def _once(planes: Sequence[Plane]) -> list[Plane]:
    """The planes without copies of the same image in other files."""
    kept: dict[tuple, Plane] = {}
    for plane in planes:
        where = () if plane.position is None else tuple(plane.position)
        mark = (plane.instance or plane.path, plane.frame, where, *plane.telling.values())
        kept.setdefault(mark, plane)
    return list(kept.values())


def _sizes(planes: Sequence[Plane]) -> list[tuple[list[Plane], str]]:
    """Images of one size and orientation each, and in words which."""
    groups: list[list[Plane]] = []
    for plane in planes:
        for group in groups:
            if _alike(group[0], plane):
                group.append(plane)
                break
        else:
            groups.append([plane])
    return [(group, _lying(group[0]) if len(groups) > 1 else "") for group in groups]


def _alike(a: Plane, b: Plane) -> bool:
    return (
        (a.rows, a.columns) == (b.rows, b.columns)
        and np.allclose(np.asarray(a.orientation), np.asarray(b.orientation), atol=0.02)
        and np.allclose(np.asarray(a.spacing), np.asarray(b.spacing), rtol=0.01)
    )


def _lying(plane: Plane) -> str:
    directions = np.asarray(plane.orientation).reshape(2, 3)
    return LYING[int(abs(np.cross(*directions)).argmax())]


def _volumes(subject: str, planes: list[Plane], words: str) -> list[Series]:
    """The volumes that images of one size and orientation make: several, where places repeat and a
    tag tells which image belongs to which volume."""
    places = _places(planes)
    most = max(len(members) for members in places.values())
    if most == 1:
        try:
            grid = stacked(planes) if len(planes) > 1 else None
        except CourseError as error:
            return [Series(subject, tuple(planes), _label(planes, words), why=str(error))]
        step = "" if grid is None else f", {grid.spacing[0]:.3g} mm apart"
        return [Series(subject, tuple(planes), _label(planes, words, step), grid)]
    repeated = [members for members in places.values() if len(members) > 1]
    differing = [n for n in TELLING if any(len({_value(p, n) for p in m}) > 1 for m in repeated)]
    for name in differing:
        parts: dict[object, list[Plane]] = defaultdict(list)
        for plane in planes:
            parts[_value(plane, name)].append(plane)
        if len(places) > 1 and any(len(_places(p)) == len(p) > 1 for p in parts.values()):
            told = zip(parts.values(), _told(name, list(parts)), strict=True)
            return [s for part, said in told for s in _volumes(subject, part, f"{words} {said}")]
    reason = TELLING[differing[0]] if differing else "nothing that its header says"
    if len(places) == 1:
        why = f"all {len(planes)} images lie at one place and differ in {reason}: a time series"
    else:
        why = f"up to {most} images lie at each of {len(places)} places and differ in {reason}"
    return [Series(subject, tuple(planes), _label(planes, words), why=f"{why}, no volume")]


def _places(planes: Iterable[Plane]) -> dict[tuple, list[Plane]]:
    """Place in tenths of a millimetre → the images there."""
    found: dict[tuple, list[Plane]] = defaultdict(list)
    for plane in planes:
        found[tuple(np.round(np.asarray(plane.position), 1) + 0.0)].append(plane)
    return found


def _value(plane: Plane, name: str) -> object:
    return plane.telling.get(name, "none")


def _told(name: str, values: list) -> list[str]:
    """In words, by which value a volume is told from the others."""
    if name != "ImageType":
        units = {"EchoTime": " ms", "InversionTime": " ms", "FlipAngle": " degrees"}
        return [f"{TELLING[name]} {_short(value)}{units.get(name, '')}" for value in values]
    words = [str(value).split("\\") for value in values]
    common = set.intersection(*map(set, words))
    return [f"{TELLING[name]} {' '.join(w for w in each if w not in common)}" for each in words]


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(planes: Sequence[Plane], words: str = "", step: str = "") -> str:
    first = planes[0]
    number = f"series {first.number}, " if first.number else ""
    size = f"{len(planes)} of {first.rows} x {first.columns}{step}" if first.rows else "no pixels"
    words = f", {words.strip()}" if words.strip() else ""
    folders = [f for f in first.path.split("/")[:-1] if not subjects.PARTS.fullmatch(f)]
    name = first.description or "/".join(folders[1:]) or "without a description"
    return f"{name} ({number}{first.modality or 'no modality'}, {size}{words})"


def chosen(volumes: Sequence[Series], text: str) -> tuple[list[Series], str]:
    """The series of one subject that are meant, one a study; or none, and in a sentence why.

    Arguments:
        volumes: all that could be volumes, broken ones too.
        text: a part of the label, or several between commas; empty: there must be one only.
    """
    meant = fitting(volumes, text)
    if text and not meant:
        return [], f"no series fits {text!r} among {_listed(volumes)}"
    whole = [series for series in meant if series.grid is not None]
    if not whole:
        return [], "; ".join(f"{series.label}: {series.why}" for series in meant)
    studies: dict[str, list[Series]] = defaultdict(list)
    for series in whole:
        studies[series.first.study].append(series)
    names = {(s.first.modality, s.first.description.casefold()) for s in whole}
    if max(map(len, studies.values())) > 1 or (len(names) > 1 and not text):
        return [], f"several series fit: {_listed(whole)}"
    return whole, ""


def fitting(volumes: Sequence[Series], text: str) -> list[Series]:
    """Series that a text means: by its whole description or number, or else as a part of the label,
    whole words first."""
    text = text.strip().casefold()

    def those(test: Callable[[Series], bool]) -> list[Series]:
        return [series for series in volumes if test(series)]

    words = [re.escape(part.strip()) for part in text.split(",") if part.strip()]
    return (
        those(lambda s: text in (s.first.description.casefold(), s.first.number))
        or those(lambda s: all(re.search(rf"(?<!\w){w}(?!\w)", s.label, re.I) for w in words))
        or those(lambda s: all(re.search(w, s.label, re.I) for w in words))
    )


def _listed(volumes: Sequence[Series], most: int = 6) -> str:
    labels = [series.label for series in volumes]
    more = f"; and {len(labels) - most} more" if len(labels) > most else ""
    return "; ".join(labels[:most]) + more


def kinds(series: Iterable[Series]) -> str:
    """Descriptions and how many subjects have each: `T1 axial (4), T1 ax (2)`."""
    counted = Counter(s.first.description or "without a description" for s in series)
    return ", ".join(f"{name} ({count})" for name, count in counted.most_common(6))


def modalities(series: Iterable[Series]) -> str:
    """Modalities and how many series have each: `CT of 3, MR of 2`."""
    counted = Counter(s.first.modality or "no modality" for s in series)
    return ", ".join(f"{name} of {count}" for name, count in counted.most_common())
