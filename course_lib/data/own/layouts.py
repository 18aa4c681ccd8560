"""Which files of a folder are an image with its label map or target, whatever the folder's form.

One rule reads all: folders and names say what a file is (`filenames`), files of one image come
together under one key, and what is in several contrasts is chosen by the user. So `images/` beside
`labels/`, image and mask in one folder, a folder for each subject and BIDS are all taken as they
lie.
"""

from collections import defaultdict
from pathlib import Path, PurePosixPath

from course_lib.data.own import filenames, files, tables
from course_lib.data.own.contrasts import Case, Group, Layout, of_one_contrast
from course_lib.data.own.grids import COMPANIONS, suffix_of
from course_lib.data.own.kinds import LeftOut
from course_lib.data.own.reading import Reading
from course_lib.data.own.subjects import PARTS
from course_lib.errors import CourseError

RANKS = ("dseg", "seg", "segm", "segmentation", "label", "labels", "labelmap", "1stho")


def volumes_in(place: Path) -> list[Path]:
    """All files of volumes below a folder."""
    return [file for file in files.within(place) if suffix_of(file.name)]


def stem_of(file: Path) -> str:
    """A file's name without its ending."""
    return file.name[: len(file.name) - len(suffix_of(file.name))]


def read(place: Path, reading: Reading) -> Layout:
    """The images of a folder with their label maps and targets.

    Raises CourseError when there are several contrasts and the user has chosen none.
    """
    layout = Layout(left_out=no_volumes(place))
    found = volumes_in(place)
    groups = _grouped(place, found, layout)
    if not groups:
        raise CourseError(f"{place} holds label maps, but no images that they belong to.")
    chosen = of_one_contrast(place, groups, reading, layout)
    words = {
        "label": any(groups[key].labels for key in chosen),
        "target": any(groups[key].targets for key in chosen),
    }
    names = _names(place, chosen)
    for key, (contrast, images) in chosen.items():
        try:
            image = _only(images, "images")
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
        if not suffix_of(file.name) and not file.name.lower().endswith(COMPANIONS):
            kinds[file.suffix.lower()].append(file.relative_to(place).as_posix())
    left = []
    for kind, names in kinds.items():
        shown = names if len(names) <= 3 else [f"{len(names)} files *{kind}"]
        left += [LeftOut(name, "no volume") for name in shown]
    return left


def _grouped(place: Path, found: list[Path], layout: Layout) -> dict[str, Group]:
    """Key → files of one image. Label maps without an image are bad cases."""
    named = {file: filenames.place_of(file.relative_to(place).as_posix()) for file in found}
    bids = _is_bids(found)
    roles = {file: _role(file, named[file], bids) for file in found}
    images = [file for file in found if roles[file] == "image"]
    own_folder = _subject_folders(images, named)
    groups: dict[str, Group] = defaultdict(Group)
    for file in images:
        where, stem = named[file], stem_of(file)
        if where.derived:
            layout.left_out.append(LeftOut(file.relative_to(place).as_posix(), "derived"))
            continue
        mine, contrast = _key(stem, where, bids, own_folder)
        groups[mine].images[where.contrast or contrast].append(file)
    for file in found:
        if roles[file] == "image":
            continue
        key = _key_of_partner(file, named[file], roles[file], bids, own_folder, groups)
        if key is not None:
            kind = groups[key].labels if roles[file] == "label" else groups[key].targets
            kind.append(file)
        elif roles[file] == "label" and not filenames.label_word(stem_of(file))[1] and not (
            named[file].role
        ):  # fmt: skip
            key, contrast = _key(stem_of(file), named[file], bids, own_folder)
            groups[key].images[contrast].append(file)  # 'roi_7' may be all that there is
        else:
            path = file.relative_to(place).as_posix()
            layout.bad[path] = f"a {roles[file]} that has no partner among the images"
    return dict(groups)


def _is_bids(found: list[Path]) -> bool:
    return bool(found) and all("sub" in filenames.entities(stem_of(file)) for file in found)


def _role(file: Path, where: filenames.Place, bids: bool) -> str:
    """What a file is, its folder's word first."""
    if where.role:
        return where.role
    stem = stem_of(file)
    if filenames.TARGET_LAST.search(stem):
        return "target"
    word, sure = filenames.label_word(stem)
    return "label" if word and (sure or not bids) else "image"


def _subject_folders(images: list[Path], named: dict[Path, filenames.Place]) -> set[str]:
    """The folders that hold one image each, maybe in several contrasts: files are called alike in
    them, apart from the folder's own name, or after contrasts."""
    inside: dict[str, list[str]] = defaultdict(list)
    for file in images:
        if folder := named[file].folder:
            inside[folder].append(_without(stem_of(file), folder))
    seen = defaultdict(set)
    for folder, rests in inside.items():
        for rest in rests:
            seen[rest].add(folder)

    def alike(rest: str) -> bool:
        return filenames.core(rest)[0] == "" or (len(seen[rest]) > 1 and not rest.isdigit())

    return {
        folder
        for folder, rests in inside.items()
        if not PARTS.fullmatch(PurePosixPath(folder).name) and all(map(alike, rests))
    }


def _without(stem: str, folder: str) -> str:
    """A name without that of its folder, with which many begin."""
    name = PurePosixPath(folder).name
    return stem[len(name) :].strip("-_. ") if stem.startswith(name) else stem


def _key(stem: str, where: filenames.Place, bids: bool, folders: set[str]) -> tuple[str, str]:
    """Under which key an image comes, and its contrast."""
    if bids:
        pairs = filenames.entities(stem)
        return "_".join(f"{k}-{v}" for k, v in pairs.items()), filenames.bids_suffix(stem)
    if where.folder in folders:
        rest = _without(stem, where.folder)
        left, contrast = filenames.core(rest)
        return where.folder, contrast if left == "" else rest
    left, contrast = filenames.core(stem)
    return f"{where.folder}/{left}".strip("/"), contrast


def _key_of_partner(
    file: Path,
    where: filenames.Place,
    role: str,
    bids: bool,
    folders: set[str],
    groups: dict[str, Group],
) -> str | None:
    """The key of the image that a label map or target belongs to."""
    stem = stem_of(file)
    if bids:
        wanted = set(filenames.entities(stem).items())
        fits = [k for k in groups if wanted <= set(filenames.entities(k).items())]
        exact = [k for k in fits if set(filenames.entities(k).items()) == wanted]
        close = exact or fits
        return close[0] if len(close) == 1 else None
    if where.folder in folders and where.folder in groups:
        return where.folder
    same = [filenames.core(stem)[0]] if where.role else []
    by_word = filenames.label_word(stem)[0] if role == "label" else ""
    if role == "target" and not where.role:
        same = [filenames.core(filenames.TARGET_LAST.sub("", stem))[0]]
    cores = same + (filenames.cores_of_label(stem) if by_word else [])
    for left in cores:
        for one in dict.fromkeys((left, filenames.core(left)[0])):
            if (key := f"{where.folder}/{one}".strip("/")) in groups:
                return key
    return None


def _names(place: Path, chosen: dict[str, tuple[str, list[Path]]]) -> dict[str, str]:
    """Key → name of the case: of the file where that is enough, otherwise with its folder."""
    stems = {key: stem_of(images[0]) for key, (_, images) in chosen.items()}
    if len(set(stems.values())) == len(stems) and all(filenames.core(s)[0] for s in stems.values()):
        return stems
    return {key: key.replace("/", "_") or stems[key] for key in chosen}


def _only(found: list[Path], what: str) -> Path:
    if len(found) > 1:
        names = tables.listed([file.name for file in found], 4)
        raise CourseError(f"several {what} of one name: {names}. Keep one")
    return found[0]


def _others(
    group: Group, contrast: str, words: dict[str, bool], image: Path, layout: Layout, place: Path
) -> dict[str, Path]:
    """`label` and `target` → file.

    Raises CourseError when one is missing that other images have, or there are several.
    """
    others = {}
    for word, found in (("label", group.labels), ("target", group.targets)):
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
