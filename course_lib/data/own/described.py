"""Folders with a `dataset.json`: the Medical Segmentation Decathlon's, and nnU-Net's.

Decathlon's lists pairs of image and label. nnU-Net's second version lists channels instead, and
its files are called `imagesTr/x_0000.nii.gz` (channel 0 of x) and `labelsTr/x.nii.gz`.
Sources: Antonelli et al. 2022, doi 10.1038/s41467-022-30695-9; Isensee et al. 2021,
doi 10.1038/s41592-020-01008-z.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from course_lib.data.own import filenames, layouts, tables
from course_lib.data.own.groups import CHANNEL, stem_of, volumes_in
from course_lib.data.own.kinds import LeftOut
from course_lib.data.own.layouts import Case, Layout
from course_lib.data.own.reading import Reading
from course_lib.errors import CourseError

FILE = "dataset.json"


def holds(place: Path) -> bool:
    """Whether a folder has such a description, and no COCO file that bears its name."""
    if not (place / FILE).is_file():
        return False
    try:
        about = _content(place / FILE)
    except CourseError:
        return True  # broken: read() says why
    return not {"images", "annotations", "categories"} <= set(about)


def read(place: Path, reading: Reading) -> Layout:
    """The labelled images that a description names.

    Raises CourseError when it is broken, names files elsewhere, or no images at all.
    """
    file = place / FILE
    about = _content(file)
    try:
        channels = _channels(about)
        layout = Layout(
            names=_names(about.get("labels", {})),
            channels=channels,
            left_out=[left for left in layouts.no_volumes(place) if left.name != FILE],
            licence=str(about.get("licence", about.get("license", "as you know it"))),
            notes=_regions(about.get("labels", {})),
        )
        listed = isinstance(about.get("training"), list)
        rows = _listed(place, about["training"]) if listed else _found(place)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{file} is not a Decathlon description ({type(error).__name__}: {error}). Expected: "
            "'modality', 'labels' and 'training', a list of image and label; or nnU-Net's "
            "'channel_names' and 'labels' beside imagesTr/ and labelsTr/."
        ) from error
    if not rows:
        raise CourseError(f"{file} names no training images, and imagesTr/ holds none.")
    number = _chosen(place, channels, reading, layout, rows)
    contrast = channels[number] if number < len(channels) else ""
    layout.told = bool(contrast)
    layout.provenance = f"measured: {contrast or 'volumes'} of your own, labels as given".replace(
        f"{contrast} of", f"{contrast} volumes of" if contrast else "of"
    )
    for name, (images, label) in rows.items():
        _add(place, name, images, label, number, contrast, layout)
    _left(place, layout)
    return layout


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CourseError(
            f"{file} is not a Decathlon description ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(content, dict):
        raise CourseError(f"{file} is not a Decathlon description, but a {type(content).__name__}.")
    return content


def _channels(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The contrasts in the order of their numbers."""
    given = about["channel_names"] if "channel_names" in about else about["modality"]
    if isinstance(given, list):
        return tuple(map(str, given))
    return tuple(str(given[key]) for key in sorted(given, key=int))


def _names(labels: Any) -> dict[int, str]:
    """Number → structure, from Decathlon's {"1": "organ"} or nnU-Net's {"organ": 1}. Regions of
    several numbers are no structures of their own."""
    if not isinstance(labels, Mapping):
        raise ValueError(f"its 'labels' are {labels!r}, not numbers with names")
    found: dict[int, str] = {}
    for key, value in labels.items():
        if isinstance(value, list):
            continue
        number, name = (key, value) if str(key).lstrip("-").isdigit() else (value, key)
        if found.setdefault(int(number), str(name)) != str(name):
            raise ValueError(f"label {number} is called {found[int(number)]!r} and {name!r}")
    return {number: name for number, name in found.items() if number > 0}


def _regions(labels: Mapping[str, Any]) -> list[str]:
    """What is said of nnU-Net's regions."""
    regions = [str(name) for name, value in labels.items() if isinstance(value, list)]
    if not regions:
        return []
    return [f"Regions of several labels ({tables.listed(regions)}) are taken label by label."]


Rows = dict[str, tuple[dict[int, Path], Path | None]]


def _listed(place: Path, training: list) -> Rows:
    """Name of the case → its files by channel, and its label, from Decathlon's list."""
    rows: Rows = {}
    for row in training:
        image, label = (_inside(place, str(row[word])) for word in ("image", "label"))
        if row["image"] is None or row["label"] is None:
            raise ValueError(f"the entry {row} names no file")
        if image.name.startswith("._"):
            continue
        name = stem_of(image)
        if name in rows:
            raise CourseError(f"{place / FILE} names {image.name} twice, or two files alike.")
        rows[name] = (_channel_files(image), label)
    return rows


def _channel_files(image: Path) -> dict[int, Path]:
    """The file itself, or those of its channels, which nnU-Net's list does not name."""
    end = image.name[len(stem_of(image)) :]
    if image.is_file() or not image.parent.is_dir():
        return {-1: image}
    parts = {
        int(match[2]): file
        for file in sorted(image.parent.glob(f"*{end}"))
        if (match := CHANNEL.fullmatch(stem_of(file))) and match[1] == stem_of(image)
    }
    return parts or {-1: image}


def _inside(place: Path, text: str) -> Path:
    """A file that the list names, written as on any system or on another machine.

    Raises CourseError when it lies outside the folder.
    """
    parts = PurePosixPath(text.replace("\\", "/")).parts
    for file in (place.joinpath(*parts), place.joinpath(*parts[-2:])):
        if file.resolve().is_relative_to(place.resolve()) and (
            file.is_file() or not PurePosixPath(*parts).is_absolute()
        ):
            return file
    raise CourseError(f"{place / FILE} names files outside its own folder: {text}.")


def _found(place: Path) -> Rows:
    """The same from nnU-Net's folders."""
    rows: dict[str, tuple[dict[int, Path], Path | None]] = {}
    labels = {
        (where.folder, stem_of(file)): file
        for file in volumes_in(place)
        if (where := _where(place, file)).role == "label"
    }
    for file in volumes_in(place):
        where = _where(place, file)
        if where.role != "image":
            continue
        match = CHANNEL.fullmatch(stem_of(file))
        stem, number = (match[1], int(match[2])) if match else (stem_of(file), -1)
        label = labels.get((where.folder, stem))
        if where.folder and label is None and not any(f == where.folder for f, _ in labels):
            continue  # test images without any labels, as nnU-Net has them
        name = stem if stem not in rows else f"{where.folder}_{stem}"
        if (known := _row_of(rows, stem, label)) is not None:
            known[number] = file
        else:
            rows[name] = ({number: file}, label)
    return rows


def _row_of(rows: Rows, stem: str, label: Path | None) -> dict[int, Path] | None:
    """The files of the case whose channels these are."""
    known = rows.get(stem)
    return known[0] if known and known[1] == label else None


def _where(place: Path, file: Path) -> filenames.Place:
    return filenames.place_of(file.relative_to(place).as_posix())


def _chosen(
    place: Path, channels: tuple[str, ...], reading: Reading, layout: Layout, rows: Rows
) -> int:
    """The number of the channel that is read: the user's, or the first with a note."""
    if reading.series:
        if reading.series.isdigit():
            return int(reading.series)
        name = layouts.choose(list(channels), reading.series)
        if name is None:
            raise CourseError(
                f"--series {reading.series} fits none or several of the contrasts in {place}: "
                f"{tables.listed(channels)}."
            )
        return channels.index(name)
    several = max((len(images) for images, _ in rows.values()), default=1) > 1
    if len(channels) > 1 and several:
        raise CourseError(
            f"{place} holds several contrasts of each case: {tables.listed(channels)}. Choose one "
            f"with --series, for example --series {channels[0]}."
        )
    if len(channels) > 1:
        layout.notes.append(
            f"Of {len(channels)} contrasts ({tables.listed(channels)}) the first is taken; --series"
            " chooses another."
        )
    return 0


def _add(
    place: Path,
    name: str,
    images: dict[int, Path],
    label: Path | None,
    number: int,
    contrast: str,
    layout: Layout,
) -> None:
    """One case, or the reason why it is none."""
    whole = -1 in images
    image = images.get(-1 if whole else number)
    lacking = [file for file in (image, label) if file is not None and not file.is_file()]
    if image is None:
        layout.bad[name] = f"has no file of channel {number:04d}"
    elif label is None:
        layout.bad[name] = f"{image.name} has no label map of the same name"
    elif lacking:
        names = " and ".join(f"{file.parent.name}/{file.name}" for file in lacking)
        layout.bad[name] = f"{names} does not exist"
    else:
        path = image.relative_to(place).as_posix() if image.is_relative_to(place) else image.name
        unit = "HU" if contrast.upper() == "CT" else "a.u."
        layout.cases.append(
            Case(name, path, image, {"label": label}, unit, volume=number if whole else 0)
        )


def _left(place: Path, layout: Layout) -> None:
    """What lies there beside the labelled images."""
    used = {file for case in layout.cases for file in (case.image, *case.others.values())}
    rest: dict[str, int] = defaultdict(int)
    for file in volumes_in(place):
        if file not in used and not any(bad in file.name for bad in layout.bad):
            rest[file.parent.relative_to(place).as_posix()] += 1
    layout.left_out += [
        LeftOut(f"{count} volumes in {folder}/", "not named as labelled training images")
        for folder, count in rest.items()
    ]
