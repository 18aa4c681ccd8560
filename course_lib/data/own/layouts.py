"""Which files of a folder are an image with its label map or target, whatever the folder's form.

One rule reads all: folders and names say what a file is (`filenames`), files of one image come
together under one key, and what is in several contrasts is chosen by the user. So `images/` beside
`labels/`, image and mask in one folder, a folder for each subject and BIDS are all taken as they
lie.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.data.own import filenames, files, tables
from course_lib.data.own.formats import COMPANIONS, holds_label, is_volume
from course_lib.data.own.groups import Group, Grouping, stem_of
from course_lib.data.own.kinds import LeftOut
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

DICOM = "files of DICOM"
RANKS = ("dseg", "seg", "segm", "segmentation", "label", "labels", "labelmap", "1stho")


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
    target_unit: str = "a.u."
    volume: int = 0


@dataclass
class Layout:
    """What a folder holds.

    Arguments:
        bad: name of a case that cannot be used → why.
        names: label number → structure.
        channels: the contrasts of a file, in the order of its volumes, where a list names them.
        told: whether the files say what the images are of, so that the unit is no riddle.
    """

    cases: list[Case] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    told: bool = False
    provenance: str = "measured: volumes of your own"
    licence: str = "as you know it"


def read(place: Path, reading: Reading) -> Layout:
    """The images of a folder with their label maps and targets.

    Raises CourseError when there are several contrasts and the user has chosen none.
    """
    layout = Layout(left_out=no_volumes(place))
    found = Grouping(place, bool(reading.subject))
    groups = found.groups
    layout.left_out += [LeftOut(found.path(file), why) for file, why in found.aside.items()]
    for file, role in found.lonely.items():
        layout.bad[found.path(file)] = f"a {role} that has no partner among the images"
    if not groups:
        raise CourseError(f"{place} holds label maps, but no images that they belong to.")
    chosen = _of_one_contrast(place, groups, reading, layout)
    images = [file for _, same in chosen.values() for file in same]
    words = {
        "label": any(groups[key].labels for key in chosen) or any(map(holds_label, images)),
        "target": any(groups[key].targets for key in chosen),
    }
    names = _names(place, chosen)
    for key, (contrast, same) in chosen.items():
        try:
            image = _only(same, "images")
            others = _others(groups[key], contrast, words, image, layout, place)
        except CourseError as error:
            layout.bad[names[key]] = str(error)
            continue
        bids = stem_of(image).startswith("sub-")
        unit = "HU" if bids and contrast.lower() == "ct" else "a.u."
        path = image.relative_to(place).as_posix()
        layout.cases.append(Case(names[key], path, image, others, unit))
    return layout


def no_volumes(place: Path) -> list[LeftOut]:
    """What lies in the folder and is no volume, many files of one kind together."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for file in files.within(place):
        if not is_volume(file) and not file.name.lower().endswith(COMPANIONS):
            kind = DICOM if _is_dicom(file) else file.suffix.lower()
            kinds[kind].append(file.relative_to(place).as_posix())
    left = []
    for kind, names in kinds.items():
        if kind == DICOM:
            why = "not read beside NIfTI, NRRD or MHA: name the folder of the DICOM alone"
            left.append(LeftOut(f"{len(names)} {DICOM}", why))
            continue
        shown = names if len(names) <= 3 else [f"{len(names)} files *{kind}"]
        left += [LeftOut(name, "no volume") for name in shown]
    return left


def _is_dicom(file: Path) -> bool:
    with open(file, "rb") as opened:
        return opened.read(132)[128:] == b"DICM"


def _of_one_contrast(
    place: Path, groups: dict[str, Group], reading: Reading, layout: Layout
) -> dict[str, tuple[str, list[Path]]]:
    """Key → contrast and images of it."""
    having: dict[str, list[str]] = defaultdict(list)
    for key, group in groups.items():
        for contrast in group.images:
            having[contrast].append(key)
    if len(having) > 1:
        contrast = choose(list(having), reading.series) or ""
        if contrast not in having or not reading.series:
            said = "; ".join(
                f"{name or 'no contrast named'} of {len(keys)} ({tables.listed(keys, 4)})"
                for name, keys in having.items()
            )
            asked = f"{reading.series!r} names none or several. " if reading.series else ""
            example = next(name for name in having if name)
            raise CourseError(
                f"{place} holds several contrasts: {said}. {asked}Choose one with --series, for "
                f"example --series {example}; if they are of different people, say whom each is of "
                "with --subject-pattern."
            )
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
    layout.told = filenames.is_contrast(contrast)
    layout.notes += [f"The images are {contrast}."] if layout.told else []
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


def _names(place: Path, chosen: dict[str, tuple[str, list[Path]]]) -> dict[str, str]:
    """Key → name of the case: of the file where that is enough, otherwise with its folder."""
    stems = {key: stem_of(images[0]) for key, (_, images) in chosen.items()}
    if len(set(stems.values())) == len(stems) and all(filenames.core(s)[0] for s in stems.values()):
        return stems
    return {key: key.replace("/", "_") or stems[key] for key in chosen}


def _only(found: list[Path], what: str) -> Path:
    if len(found) > 1:
        names = tables.listed([file.name for file in found], 4)
        raise CourseError(f"several {what} of one name: {names}. Keep one of them")
    return found[0]


def _others(
    group: Group, contrast: str, words: dict[str, bool], image: Path, layout: Layout, place: Path
) -> dict[str, Path]:
    """`label` and `target` → file.

    Raises CourseError when one is missing that other images have, or there are several.
    """
    others = {}
    labels = group.labels or ([image] if holds_label(image) else [])
    for word, found in (("label", labels), ("target", group.targets)):
        if not words[word]:
            continue
        if not found:
            raise CourseError(
                f"{image.name} has no partner: no {word}. Both need the same file name, or the "
                f"{word}'s name the image's and _{'seg' if word == 'label' else word}"
            )
        others[word] = _only(_best(found, contrast), f"{word}s")
        layout.left_out += [
            LeftOut(file.relative_to(place).as_posix(), f"{others[word].name} is taken")
            for file in found
            if file != others[word]
        ]
    return others


def _best(found: list[Path], contrast: str) -> list[Path]:
    """Those of an image's label maps that come first: of its own contrast, and named plainly."""
    own = [file for file in found if contrast and contrast.lower() in stem_of(file).lower()]
    found = own or found

    def rank(file: Path) -> int:
        word = filenames.label_word(stem_of(file))[0]
        return RANKS.index(word) if word in RANKS else len(RANKS)

    best = min(map(rank, found))
    return [file for file in found if rank(file) == best]
