"""Files that belong to one image: its contrasts, label maps, targets, told by folder and name."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course_lib.data.own import filenames, files
from course_lib.data.own.formats import is_volume, suffix_of
from course_lib.data.own.subjects import PARTS

CHANNEL = re.compile(r"(.+)_(\d{4})")  # nnU-Net's ending of an image, one file a contrast


@dataclass
class Group:
    """The files of one image: contrast → images, label maps, targets."""

    images: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    labels: list[Path] = field(default_factory=list)
    targets: list[Path] = field(default_factory=list)


def volumes_in(place: Path) -> list[Path]:
    """All files of volumes below a folder."""
    return [file for file in files.within(place) if is_volume(file)]


def stem_of(file: Path) -> str:
    """A file's name without its ending."""
    return file.name[: len(file.name) - len(suffix_of(file.name))]


class Grouping:
    """The files of a folder by image.

    Arguments:
        strangers: files called alike in two folders are of different people, as the user says.
        groups: key → files of one image.
        lonely: label maps and targets that have no image.
        aside: files that are none of them → why.
    """

    def __init__(self, place: Path, strangers: bool = False) -> None:
        self._place = place
        found = volumes_in(place)
        self._where = {file: filenames.place_of(self.path(file)) for file in found}
        inside = [file for file in found if not self._where[file].derived]
        self._bids = 2 * sum(map(_names_subject, inside)) > len(inside)
        roles = {file: self._role(file) for file in found}
        self.aside = {file: why for file in found if (why := self._aside(file, roles[file]))}
        images = [f for f in found if roles[f] == "image" and f not in self.aside]
        rest = [f for f in found if roles[f] != "image" and f not in self.aside]
        self._folders, self._series = _kinds_of_folders(images, self._where, strangers)
        self._channels = _has_channels(images, rest, self._where)
        self.groups: dict[str, Group] = defaultdict(Group)
        self.lonely: dict[Path, str] = {}
        for file in images:
            self._add_image(file)
        for file in rest:
            self._add_partner(file, roles[file])
        self.groups = dict(self.groups)

    def path(self, file: Path) -> str:
        """Where a file lies below the folder, `/` between folders."""
        return file.relative_to(self._place).as_posix()

    def _role(self, file: Path) -> str:
        """What a file is, its folder's word first."""
        if role := self._where[file].role:
            return role
        stem = stem_of(file)
        if filenames.TARGET_LAST.search(stem):
            return "target"
        word, sure = filenames.label_word(stem)
        return "label" if word and (sure or not self._bids) else "image"

    def _aside(self, file: Path, role: str) -> str:
        """Why a file is no part of the data, if it is not."""
        where = self._where[file]
        if where.derived and (role != "label" or not _names_subject(file)):
            return "derived from other images"
        if self._bids and not _names_subject(file):
            return "names no subject (sub-)"
        above = {one.folder for one in self._where.values() if one.role == "image"}
        beside = any(where.folder == one or _below(where.folder, one) for one in above)
        return "lies beside the folder of images" if beside and not where.role else ""

    def _add_image(self, file: Path) -> None:
        key, contrast = self._key(file)
        self.groups[key].images[self._where[file].contrast or contrast].append(file)

    def _add_partner(self, file: Path, role: str) -> None:
        key = self._key_of_bids(file) if self._bids else self._key_of_partner(file, role)
        if key is not None:
            (self.groups[key].labels if role == "label" else self.groups[key].targets).append(file)
        elif role == "label" and not (self._where[file].role or _surely_label(file)):
            self._add_image(file)  # 'roi_7' may be all that there is
        else:
            self.lonely[file] = role

    def _key(self, file: Path) -> tuple[str, str]:
        """Under which key an image comes, and its contrast."""
        stem, where = stem_of(file), self._where[file]
        if self._bids:
            pairs = filenames.entities(stem)
            return "_".join(f"{k}-{v}" for k, v in pairs.items()), filenames.bids_suffix(stem)
        if self._channels and (match := CHANNEL.fullmatch(stem)):
            return f"{where.folder}/{match[1]}".strip("/"), match[2]
        if where.folder in self._folders:
            rest = _without(stem, where.folder)
            left, contrast = filenames.core(rest)
            return where.folder, contrast if left == "" else rest
        left, contrast = filenames.core(stem)
        if where.folder in self._series:
            above, _, name = where.folder.rpartition("/")
            return f"{above}/{left}".strip("/"), name
        return f"{where.folder}/{left}".strip("/"), contrast

    def _key_of_bids(self, file: Path) -> str | None:
        """The image of the same person, visit and run; what the label does not say is free."""
        wanted = set(filenames.entities(stem_of(file)).items())
        fits = [k for k in self.groups if wanted <= set(filenames.entities(k).items())]
        exact = [k for k in fits if set(filenames.entities(k).items()) == wanted]
        found = exact or fits
        return found[0] if len(found) == 1 else None

    def _key_of_partner(self, file: Path, role: str) -> str | None:
        """The image with the same name in its folder, apart from the words for label and image."""
        stem, where = stem_of(file), self._where[file]
        if where.folder in self._folders and where.folder in self.groups:
            return where.folder
        cores = [stem] if where.role else []
        if role == "target" and not where.role:
            cores.append(filenames.TARGET_LAST.sub("", stem))
        if role == "label" and filenames.label_word(stem)[0]:
            cores += filenames.cores_of_label(stem)
        for name in cores:
            for one in dict.fromkeys((name, filenames.core(name)[0])):
                if (key := f"{where.folder}/{one}".strip("/")) in self.groups:
                    return key
        return None


def _names_subject(file: Path) -> bool:
    return "sub" in filenames.entities(stem_of(file))


def _surely_label(file: Path) -> bool:
    return filenames.label_word(stem_of(file))[1]


def _has_channels(images: list[Path], rest: list[Path], where: dict[Path, filenames.Place]) -> bool:
    """Whether images end in nnU-Net's numbers of contrasts, and label maps do not."""
    stems = {stem_of(file) for file in rest}
    marked = all(where[f].role == "image" and CHANNEL.fullmatch(stem_of(f)) for f in images)
    return marked and bool(stems) and not any(map(CHANNEL.fullmatch, stems))


def _below(folder: str, above: str) -> bool:
    return not above or folder.startswith(f"{above}/")


def _kinds_of_folders(
    images: list[Path], where: dict[Path, filenames.Place], strangers: bool
) -> tuple[set[str], set[str]]:
    """The folders that hold one image each, maybe in several contrasts, and those that are a
    contrast each.

    In the first, files are called after contrasts, or alike in many folders, apart from the
    folder's own name. In the second, few folders hold many files of the same names.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, set[str]] = defaultdict(set)
    for file in images:
        folder = where[file].folder
        if folder and not PARTS.fullmatch(PurePosixPath(folder).name):
            rest = _without(stem_of(file), folder)
            inside[folder].add(rest)
            seen[rest].add(folder)

    def named(rest: str) -> bool:
        return filenames.core(rest)[0] == ""

    people = {folder for folder, rests in inside.items() if all(map(named, rests))}
    shared = {rest for rest, folders in seen.items() if len(folders) > 1 and not named(rest)}
    alike = {folder for folder, rests in inside.items() if rests & shared}
    if not alike or strangers:
        return people, set()
    if len(shared) <= len(alike) and not any(rest.isdigit() for rest in shared):
        return people | alike, set()
    return people - alike, alike


def _without(stem: str, folder: str) -> str:
    """A name without that of its folder, with which many begin."""
    name = PurePosixPath(folder).name
    return stem[len(name) :].strip("-_. ") if stem.startswith(name) else stem
