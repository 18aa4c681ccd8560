"""Pictures with masks: `images/` beside `masks/`, or `x.png` beside `x_mask.png`.

A mask is known by its folder (`masks`, `labels`, `annotations`, `1st_manual` …) or by the end of
its name (`_mask`, `_manual1`, `_1stHO` …) where the picture without that end is there too. Several
masks of one picture are laid over one another; of several readers' the first one's is taken. A mask
is never a picture of its own. What its values mean: `mask_values`.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from course_lib.data.own import folders, given, labels, mask_values, picture_sets, subjects, tables
from course_lib.data.own.kinds import LeftOut, Masked, OwnData, Pictures
from course_lib.data.own.pictures import Greys
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

FOLDERS = re.compile(
    r"(?:\d(?:st|nd)_?)?manual\d?|masks?|labels?(?:Tr|Ts)?|annotations?|seg(?:mentation)?s?|"
    r"ground[-_ ]?truths?|gts?|targets?|SegmentationClass|(?:\w+[-_])masks?",
    re.I,
)
FIELD_OF_VIEW = re.compile(r"masks?|fov", re.I)
"""Folders of this name hold no labels where another one does: in DRIVE, what the camera sees."""
IMAGE_FOLDERS = re.compile(r"(?:images?|imgs?|pictures|originals?|JPEGImages)(?:Tr|Ts)?", re.I)
TEST_FOLDERS = re.compile(r"(?:images|labels)Ts", re.I)
WORD = (
    r"masks?|seg|segm|segmentations?|labels?|labelmap|gt|ground[-_]?truth|annotations?|"
    r"manual\d?|(?:1st|2nd)HO|(?:1st|2nd)_manual|roi|lesions?|Parasite"
)
LAST = re.compile(rf"[-_. ](?:{WORD})(?:[-_. ]?\(?\d{{1,3}}\)?)?$", re.I)
FIRST = re.compile(r"^(?:masks?|seg|labels?|gt)[-_. ]", re.I)
IMAGE_LAST = re.compile(r"(?:[-_.](?:image|img|training|test|original|orig)|_0000)$", re.I)
LATER_READER = re.compile(r"(?:manual[2-9]|2ndHO|2nd_manual)(?=$|/)", re.I)


@dataclass(frozen=True)
class _File:
    """A picture file: the folder above it without those that say what it is, its name without
    ending and without the word that calls it a mask or an image."""

    file: Path
    path: str
    folder: str
    stem: str
    short: str
    by_folder: str


@dataclass(frozen=True)
class Pairs:
    """Pictures with the masks of each, and those that have no partner."""

    images: list[_File]
    masks: list[tuple[Path, ...]]
    bare: list[_File]
    lone: list[_File]
    notes: tuple[str, ...]


def holds(place: Path) -> bool:
    """Whether a picture below a folder has a mask."""
    return bool(pairs(place).images)


def read(place: Path, reading: Reading, unverified: bool = False) -> Masked:
    """The pictures with their masks, and the split that folders or the user give.

    Raises CourseError, naming every case, for pictures without a mask, masks without a picture,
    files that cannot be read and masks of another size, unless the user skips them; and for masks
    whose values are no labels.
    """
    found, shared = _unshared(pairs(place))
    open_ = picture_sets.opened([each.file for each in found.images])
    faults = [LeftOut(each.path, "has no mask") for each in found.bare]
    faults += [LeftOut(each.path, "has no picture") for each in found.lone]
    faults += shared
    faults += open_.left_out
    sizes = [shape[::-1] for shape in open_.pictures.shapes]
    seen = mask_values.looked(
        [(found.masks[k], size) for k, size in zip(open_.positions, sizes, strict=True)]
    )
    faults += seen.left_out
    left_out = folders.left_out(place, faults, reading.skip)
    meaning = mask_values.meaning(place, seen)
    kept = [open_.positions[k] for k in seen.positions]
    below = [found.images[k].path for k in kept]
    names, people = folders.names(below), subjects.of(below, reading)
    split, of_split = given.of(place, below, people, reading)
    pictures = open_.pictures.chosen(seen.positions)
    data = Masked(
        source=place,
        provenance="measured: pictures and masks of your own",
        licence="as you know it",
        images=pictures,
        masks=mask_values.Masks(
            [(found.masks[k], pictures.shapes[n][::-1]) for n, k in enumerate(kept)], meaning
        ),
        shapes=tuple(pictures.shapes),
        structures=meaning.structures,
        names=tuple(names),
        subjects=tuple(people),
        given=given.by_name(names, split),
        left_out=left_out,
        notes=(
            *open_.notes,
            *found.notes,
            *meaning.notes,
            *subjects.said(below, reading),
            *of_split,
        ),
    )
    return _seen_otherwise(data, below)


def _unshared(found: Pairs) -> tuple[Pairs, list[LeftOut]]:
    """The pairs without pictures that would share a mask: whose it is, nobody knows."""
    owners: dict[Path, list[str]] = defaultdict(list)
    for image, masks in zip(found.images, found.masks, strict=True):
        for mask in masks:
            owners[mask].append(image.path)
    several = {mask: who for mask, who in owners.items() if len(who) > 1}
    both = [p for p in zip(found.images, found.masks, strict=True) if not several.keys() & {*p[1]}]
    faults = [
        LeftOut(" and ".join(who), f"{' and '.join(who)} would share {mask.name}. Keep one of them")
        for mask, who in several.items()
    ]
    return replace(found, images=[i for i, _ in both], masks=[m for _, m in both]), faults


def _seen_otherwise(data: Masked, below: Sequence[str]) -> Masked:
    """The same with what else the pictures are: grey ones, and labelled ones in class folders."""
    shared = (data.source, "measured: pictures of your own", data.licence)
    grey = Pictures(
        *shared,
        Greys(data.images),
        data.names,
        data.subjects,
        given=data.given,
        left_out=data.left_out,
        notes=data.notes,
    )
    also: list[OwnData] = [grey]
    if classes := labels.of_folders(below):
        with suppress(CourseError):  # too few subjects for a split
            also.append(labels.labelled(grey, data.images, classes))
    return replace(data, also=tuple(also))


def pairs(place: Path) -> Pairs:
    """Which picture below a folder has which masks."""
    every = [_looked_at(place, file) for file in folders.pictures(place)]
    in_folders = [each for each in every if FOLDERS.fullmatch(each.by_folder)]
    others = [each for each in every if each not in in_folders]
    known = {(each.folder, each.stem) for each in others}
    named = [
        each
        for each in others
        if not IMAGE_FOLDERS.fullmatch(each.by_folder)
        and each.short != each.stem
        and ((each.folder, each.short) in known or _numbered(each, known))
    ]
    images = [each for each in others if each not in named]
    masks, notes = _preferred([*in_folders, *named])
    by_place, by_name = _index(masks, images)
    alone = defaultdict(list)
    for each in images:
        alone[each.folder].append(each)
    good, found, bare, used = [], [], [], set()
    for each in images:
        plain = IMAGE_LAST.sub("", each.stem)
        keys = [(each.folder, each.stem), (each.folder, plain)]
        mine = next((by_place[key] for key in keys if key in by_place), None)
        mine = mine or by_name.get(each.stem) or by_name.get(plain)
        if mine is None and len(alone[each.folder]) == 1 and each.folder:
            inside = [mask for mask in masks if mask.folder == each.folder]
            mine = inside or None  # one picture with a mask for each thing in it
        if mine is None:
            bare.append(each)
        else:
            good.append(each)
            found.append(tuple(mask.file for mask in mine))
            used |= {mask.file for mask in mine}
    lone = [mask for mask in masks if mask.file not in used]
    with_masks = {each.folder for each in good}
    unlabelled = [each for each in bare if each.folder not in with_masks]
    if unlabelled and good:
        notes.append(f"{len(unlabelled)} pictures in folders without masks are not used")
        bare = [each for each in bare if each not in unlabelled]
    return Pairs(good, found, bare, lone, tuple(notes))


def _looked_at(place: Path, file: Path) -> _File:
    """What a file's folders and name say."""
    path = PurePosixPath(file.relative_to(place).as_posix())
    kept, said = [], ""
    for name in path.parts[:-1]:
        if FOLDERS.fullmatch(name) or IMAGE_FOLDERS.fullmatch(name):
            said = name
            kept += ["test"] if TEST_FOLDERS.fullmatch(name) else []
        else:
            kept.append(name)
    folder, stem = "/".join(kept), path.stem
    short = FIRST.sub("", LAST.sub("", stem))
    below = f"{folder}/{path.name}" if folder else path.name
    return _File(file, below, folder, stem, short, said)


def _numbered(each: _File, known: set[tuple[str, str]]) -> bool:
    """Whether `x_manual1` belongs to `x_training`: a picture with another word at its end."""
    return any(
        folder == each.folder and IMAGE_LAST.sub("", stem) == each.short
        for folder, stem in known
        if stem != IMAGE_LAST.sub("", stem)
    )


def _preferred(masks: Sequence[_File]) -> tuple[list[_File], list[str]]:
    """The masks that are labels: the first reader's, and no field of view beside them."""
    notes = []
    later = [each for each in masks if LATER_READER.search(f"{each.by_folder}/{each.stem}")]
    kept = [each for each in masks if each not in later]
    if later and kept:
        notes.append(f"{len(later)} masks of a second reader are passed over")
    else:
        kept = list(masks)
    labels = [each for each in kept if not FIELD_OF_VIEW.fullmatch(each.by_folder)]
    views = [each for each in kept if FIELD_OF_VIEW.fullmatch(each.by_folder)]
    there = {each.folder for each in labels}
    views = [each for each in views if each.folder in there]
    if views:
        names = tables.listed(sorted({each.by_folder for each in views}))
        chosen = tables.listed(sorted({each.by_folder or "the pictures" for each in labels}))
        notes.append(f"masks are those of {chosen}; the {len(views)} files of {names} are not used")
        kept = [each for each in kept if each not in views]
    return kept, notes


def _index(
    masks: Sequence[_File], images: Sequence[_File]
) -> tuple[dict[tuple[str, str], list[_File]], dict[str, list[_File]]]:
    """The masks by folder and name, and by name alone where no two pictures share it."""
    by_place: dict[tuple[str, str], list[_File]] = defaultdict(list)
    by_name: dict[str, list[_File]] = defaultdict(list)
    known = {(each.folder, each.stem) for each in images}
    stems = [IMAGE_LAST.sub("", each.stem) for each in images]
    once = {stem for stem in stems if stems.count(stem) == 1} if len(stems) < 5000 else set(stems)
    for mask in masks:
        name = mask.stem if (mask.folder, mask.stem) in known else mask.short
        by_place[mask.folder, name].append(mask)
        if name in once:
            by_name[name].append(mask)
    return dict(by_place), dict(by_name)
