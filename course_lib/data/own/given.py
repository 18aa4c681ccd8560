"""The split that an owner gives: folders called train and test, a column, or a file.

Every reader asks here, and hands the answer on as `OwnData.given`; `own.divided` keeps to it.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.cases import subject_order
from course_lib.data.own import tables
from course_lib.data.own.reading import Reading
from course_lib.data.own.subjects import PARTS
from course_lib.errors import CourseError

COLUMNS = ("split", "part", "set", "partition", "subset", "fold")
WORDS = {
    "train": ("train", "training", "tr"),
    "validation": ("val", "valid", "validation", "dev", "tune"),
    "test": ("test", "testing", "ts", "te"),
}
PARTICIPANTS = "participants.tsv"


def of(
    place: Path, paths: Sequence[str], subjects: Sequence[str], reading: Reading
) -> tuple[list[str | None], tuple[str, ...]]:
    """The part (train, validation, test) of each image, or None where it has none, and sentences on
    where the split comes from. All are None where no split is given.

    Taken from `--split`, else from folders called train, val or test, else from `participants.tsv`.
    Where only two parts are given, the part held out is tested on, and a fifth of the training
    subjects validates.

    Arguments:
        place: the folder.
        paths: of the images below it, `/` between folders.
        subjects: whom each is of.
    Raises CourseError when a split file is broken, names no part, or none of the images.

    >>> of(Path("x"), ["train/a.png", "train/b.png", "test/c.png"], list("abc"), Reading())[0]
    ['train', 'validation', 'test']
    """
    nothing: list[str | None] = [None] * len(paths)
    if reading.split == "none" or not paths:
        return nothing, ()
    if reading.split:
        found = _of_file(Path(reading.split).expanduser(), paths, subjects)
        where = f"the file {Path(reading.split).name}"
    else:
        found, where = [_folder(path) for path in paths], "the folders"
        if any(part is None for part in found):
            found, where = _participants(place, paths, subjects), PARTICIPANTS
    if not {"validation", "test"} & set(found) or "train" not in found:
        if reading.split:
            raise CourseError(
                f"{reading.split} gives only {' and '.join(sorted(set(filter(None, found))))}. "
                "Expected: train, and test or validation."
            )
        return nothing, ()
    return _completed(found, subjects, where)


def by_name(names: Sequence[str], parts: Sequence[str | None]) -> dict[str, str]:
    """`OwnData.given`: name → part, of those that have one."""
    return {name: part for name, part in zip(names, parts, strict=True) if part}


def word(text: str) -> str | None:
    """The part that a word means.

    >>> word("Val"), word("train2017"), word("imagesTr")
    ('validation', 'train', None)
    """
    plain = text.strip().lower().rstrip("0123456789").rstrip("-_")
    return next((part for part, words in WORDS.items() if plain in words), None)


def _folder(path: str) -> str | None:
    """The outermost folder above a file that is called as a part."""
    folders = PurePosixPath(path).parts[:-1]
    return next((word(name) for name in folders if PARTS.fullmatch(name)), None)


def _of_file(file: Path, paths: Sequence[str], subjects: Sequence[str]) -> list[str | None]:
    table = tables.load(file, COLUMNS)
    if unknown := sorted({said for said in table.values() if word(said) is None} - set(COLUMNS)):
        raise CourseError(
            f"{file} gives parts called {tables.listed(unknown)}. Expected: train, validation, "
            "test; images that belong to none are not named."
        )
    found = [tables.found(table, path, who) for path, who in zip(paths, subjects, strict=True)]
    if not any(found):
        raise CourseError(
            f"{file} names none of the images or subjects, such as {tables.listed(paths, 3)}, but "
            f"{tables.listed(table, 3)}."
        )
    return [word(part) if part else None for part in found]


def _participants(place: Path, paths: Sequence[str], subjects: Sequence[str]) -> list[str | None]:
    """The column of BIDS's table of people that says their parts, if there is one."""
    file = place / PARTICIPANTS
    if not file.is_file():
        return [None] * len(paths)
    try:
        table = tables.load(file, COLUMNS)
    except CourseError:  # no such column: the table says other things of people
        return [None] * len(paths)
    found = [tables.found(table, path, who) for path, who in zip(paths, subjects, strict=True)]
    return [word(part) if part else None for part in found]


def _completed(
    found: list[str | None], subjects: Sequence[str], where: str
) -> tuple[list[str | None], tuple[str, ...]]:
    notes = [f"The split is the one that {where} gave."]
    if "test" not in found:
        found = ["test" if part == "validation" else part for part in found]
        notes.append("What validates in it is tested on here, since it has no test part.")
    if "validation" not in found:
        trained = {who for who, part in zip(subjects, found, strict=True) if part == "train"}
        first = set(subject_order(trained)[: max(1, round(len(trained) / 5))])
        found = [
            "validation" if part == "train" and who in first else part
            for who, part in zip(subjects, found, strict=True)
        ]
        notes.append(f"{len(first)} of its {len(trained)} training subjects validate.")
    if outside := found.count(None):
        notes.append(f"{outside} images belong to no part of it and are not used.")
    return found, (" ".join(notes),)
