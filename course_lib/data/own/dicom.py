"""Folders of DICOM files: volumes turned to LPS, or 2D pictures such as X-rays.

Files are told by their content, not by their names, and belong together by what their headers say:
PatientID is the subject, SeriesInstanceUID the series. Of a subject's series one is taken for each
study; where several could be meant the owner is asked.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.data.own import (
    checks,
    dicom_series,
    dicom_volumes,
    files,
    given,
    subjects,
    tables,
)
from course_lib.data.own.dicom_headers import Plane, is_dicom, planes
from course_lib.data.own.dicom_pixels import shown, values
from course_lib.data.own.dicom_series import PLANAR, Series
from course_lib.data.own.kinds import LeftOut, Pictures, Scans
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

OTHERWISE = {end for end in tables.ENDINGS if end != ".dcm"} | {
    *(".txt", ".xml", ".csv", ".tsv", ".json", ".pdf", ".html", ".htm", ".log", ".md", ".exe")
}
FIRST = 20  # files of a folder that are opened to see whether it holds DICOM
NOBODY = frozenset(
    (
        *("", "anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymous^anonymous"),
        *("deidentified", "de-identified", "removed", "unknown", "none", "null", "na", "n/a"),
        *("patient", "patientid", "subject", "0", "00", "000", "0000", "00000", "000000"),
        *("x", "xx", "xxx", "xxxx", "****"),
    )
)
"""What anonymisers write where they take a PatientID away."""


def holds(place: Path) -> bool:
    """Whether one of the first files of a folder, or of one below it, is DICOM; files that are
    called as something else do not count among them."""
    seen: dict[Path, int] = defaultdict(int)
    for file in files.within(place):
        if file.suffix.lower() in OTHERWISE:
            continue
        seen[file.parent] += 1
        if seen[file.parent] <= FIRST and is_dicom(file):
            return True
    return False


def read(place: Path, reading: Reading, unverified: bool = False) -> Scans | Pictures:
    """The volumes of a folder; where there are none, its 2D pictures.

    Raises CourseError, which names all of them, for subjects of whom no series can be taken.
    """
    images, broken = planes(place, files.within(place))
    if not images:
        why = "; ".join(f"{name}: {reason}" for name, reason in broken.items())
        raise CourseError(f"{place} holds no DICOM image that can be read. {why}".strip())
    whose, notes = _whose(images, reading)
    volumes, others = dicom_series.found(whose, images)
    left = [LeftOut(name, why) for name, why in broken.items()]
    if not volumes:
        return _pictures(place, reading, others, left, notes)
    taken, unusable = _taken(place, volumes, others, reading)
    left += unusable
    used = {id(series) for series in taken}
    left += [
        LeftOut(f"{s.subject}: {s.label}", s.why or "another series is taken")
        for s in [*volumes, *others]
        if id(s) not in used
    ]
    if reading.skip:  # then all are looked at, so that what is left can be used
        looked = dicom_volumes.volumes(place, taken, _names(taken), _units(taken, reading))
        faults = looked.faults()
        left += [LeftOut(name, why) for name, why in faults.items()]
        taken = [s for s, h in zip(taken, looked.heads, strict=True) if h.case not in faults]
        checks.refuse(place, {} if taken else faults, len(faults))
    names = _names(taken)
    split, said = _given(place, [s.first for s in taken], [s.subject for s in taken], reading)
    return Scans(
        source=place,
        provenance="measured: DICOM series of your own",
        licence="as you know it",
        volumes=dicom_volumes.volumes(place, taken, names, _units(taken, reading)),
        given=given.by_name(names, split),
        left_out=tuple(left),
        notes=(*notes, *said, *_notes(taken, reading)),
    )


def _whose(images: Sequence[Plane], reading: Reading) -> tuple[list[str], tuple[str, ...]]:
    """The subject of each image: by the rule given, by PatientID, or by the outermost folder."""
    if reading.subject:
        return subjects.of([p.path for p in images], reading), ("Subjects by the rule given.",)
    named = [p.patient if p.patient.casefold() not in NOBODY else "" for p in images]
    found = [name or _folder(p) for name, p in zip(named, images, strict=True)]
    how = "PatientID" if all(named) else "folder, since PatientID is empty or no name"
    how = "PatientID, and by folder where it is empty" if any(named) and not all(named) else how
    return found, (f"{len(set(found))} subjects, by {how}; --subject-pattern says otherwise.",)


def _folder(plane: Plane) -> str:
    """The first folder that is no part of a split; the file's own for a picture beside others."""
    folders = [f for f in PurePosixPath(plane.path).parts[:-1] if not subjects.PARTS.fullmatch(f)]
    alone = plane.modality in PLANAR and plane.frames == 1
    return folders[0] if folders else (plane.path if alone else plane.file.parent.name)


def _taken(
    place: Path, volumes: Sequence[Series], others: Sequence[Series], reading: Reading
) -> tuple[list[Series], list[LeftOut]]:
    """The series that are meant, and the subjects that are left out on request.

    Raises CourseError when a subject has none or several and they are not left out.
    """
    people: dict[str, list[Series]] = {s.subject: [] for s in [*volumes, *others] if s.first.rows}
    for series in volumes:
        people[series.subject].append(series)
    taken: list[Series] = []
    refused: dict[str, list[str]] = defaultdict(list)
    for subject, theirs in sorted(people.items()):
        found, why = dicom_series.chosen(theirs, reading.series)
        if not theirs:
            seen = sorted({f"{s.label}: {s.why}" for s in others if s.subject == subject})
            why = f"no volume ({tables.listed(seen, 3)})"
        why = why or "; ".join(filter(None, map(_undecoded, found)))
        if why:
            refused[why].append(subject)
        else:
            taken += found
    gone = [LeftOut(subject, why) for why, names in refused.items() for subject in names]
    if gone and not (reading.skip and taken):
        lines = [f"{tables.listed(names)}: {why}" for why, names in refused.items()]
        more = f"; and {len(lines) - 10} more" if len(lines) > 10 else ""
        asked = any("series fit" in why for why in refused)
        way = (
            "Say which series with --series TEXT (a part of what is listed), or leave"
            if asked
            else "Leave"
        )
        raise CourseError(
            f"{len(gone)} of {len(people)} subjects in {place} cannot be taken as they are. "
            f"{'; '.join(lines[:10])}{more}. {way} these subjects out with --skip."
        )
    scanners = {series.first.modality for series in taken}
    if len(scanners) > 1:
        raise CourseError(
            f"{place} holds {dicom_series.modalities(taken)}. One kind is needed: choose it with "
            "--series, and leave out with --skip who has none."
        )
    return taken, gone


def _undecoded(series: Series) -> str:
    """Why the pixels of a series cannot be decoded, told from its first image; or empty."""
    try:
        values(series.planes[:1], "a.u.")
    except CourseError as error:
        return str(error)
    return ""


def _names(taken: Sequence[Series]) -> list[str]:
    """The subject, and a date or number where a subject has several."""
    people: dict[str, list[Series]] = defaultdict(list)
    for series in taken:
        people[series.subject].append(series)
    names = {}
    for subject, theirs in people.items():
        dates = [series.first.date for series in theirs]
        plain = len(set(dates)) == len(dates) and all(dates)
        for number, series in enumerate(theirs, 1):
            further = series.first.date if plain else str(number)
            names[id(series)] = f"{subject}/{further}" if len(theirs) > 1 else subject
    return [names[id(series)] for series in taken]


def _units(taken: Sequence[Series], reading: Reading) -> list[str]:
    return [_unit(series, reading) for series in taken]


def _unit(series: Series, reading: Reading) -> str:
    """HU for CT whose files say how stored numbers become HU; the user's word goes before."""
    if reading.unit:
        return reading.units[0]
    first = series.first
    known = first.rescale is not None and first.rescale_type.upper() in ("", "HU", "US")
    return "HU" if first.modality == "CT" and known else "a.u."


def _notes(taken: Sequence[Series], reading: Reading) -> list[str]:
    """How the series were understood."""
    notes = [f"Series taken: {dicom_series.kinds(taken)}."]
    grids = [series.grid for series in taken if series.grid is not None]
    if tilts := [grid.tilt for grid in grids if grid.tilt]:
        notes.append(
            f"The slices of {len(tilts)} series are shifted against each other (gantry tilt of "
            f"{min(tilts):.1f} to {max(tilts):.1f} degrees): they are shifted back onto a "
            "right-angled grid."
        )
    if uneven := [grid for grid in grids if len(grid.steps) > 1]:
        steps = sorted({step for grid in uneven for step in grid.steps})
        notes.append(
            f"The slices of {len(uneven)} series lie {', '.join(f'{s:g}' for s in steps)} mm "
            "apart in turn: interpolated to the finest of each."
        )
    unknown = [s for s in taken if s.first.modality == "CT" and _unit(s, reading) != "HU"]
    if unknown and not reading.unit:
        notes.append(
            f"{len(unknown)} CT series say not how their numbers become HU (no RescaleSlope and "
            "RescaleIntercept of HU): taken as arbitrary units. If they are HU, say --unit HU."
        )
    return notes


def _given(
    place: Path, firsts: Sequence[Plane], whose: Sequence[str], reading: Reading
) -> tuple[list[str | None], tuple[str, ...]]:
    return given.of(place, [plane.path for plane in firsts], whose, reading)


def _pictures(
    place: Path,
    reading: Reading,
    others: Sequence[Series],
    left: list[LeftOut],
    notes: tuple[str, ...],
) -> Pictures:
    """Single grey pictures: X-rays, or slices that come alone.

    Raises CourseError when there is none.
    """
    alone = [s.subject for s in others if s.why == "a single slice"]
    flat = [
        s
        for s in others
        if s.why == "a single picture"
        or (s.why == "a single slice" and alone.count(s.subject) == 1)
    ]
    if reading.series:
        flat = dicom_series.fitting(flat, reading.series)
    if not flat:
        seen = "; ".join(sorted({f"{s.label}: {s.why}" for s in others})[:6])
        raise CourseError(
            f"{place} holds no DICOM series that makes a volume, nor pictures. {seen}"
        )
    images, names, people, firsts = [], [], [], []
    refused = []
    for series, plane in ((s, plane) for s in flat for plane in s.planes):
        try:
            images.append(shown(plane))
        except CourseError as error:
            refused.append(LeftOut(plane.path, str(error)))
            continue
        names.append(plane.path.removesuffix(".dcm"))
        people.append(series.subject)
        firsts.append(plane)
    if refused and not (reading.skip and images):
        lines = [picture.why for picture in refused]
        raise CourseError(f"{tables.listed(lines)} Mend them, or leave them out with --skip.")
    split, said = _given(place, firsts, people, reading)
    left += [LeftOut(f"{s.subject}: {s.label}", s.why) for s in others if s not in flat]
    return Pictures(
        source=place,
        provenance="measured: DICOM pictures of your own",
        licence="as you know it",
        images=tuple(images),
        names=tuple(names),
        subjects=tuple(people),
        given=given.by_name(names, split),
        left_out=(*left, *refused),
        notes=(*notes, *said, "Greys are those of each file's window, 0 to 1."),
    )
