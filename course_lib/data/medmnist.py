"""MedMNIST: small labelled images, 2D and 3D, as published, with the official checksums.

Yang et al., MedMNIST v2, Scientific Data 10:41, 2023, doi:10.1038/s41597-022-01721-8. What exists,
where, and with which MD5 comes from the `INFO` of the official package `medmnist`; its classes are
not used, because they import torchvision and hold one Python object per image.
"""

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from course_lib.data.download import Unreachable, alone, download
from course_lib.errors import CourseError
from course_lib.files import cache_dir

SPLITS = ("train", "val", "test")
RESNET18 = {
    "pathmnist": (0.983, 0.907),
    "chestmnist": (0.768, 0.947),
    "dermamnist": (0.917, 0.735),
    "octmnist": (0.943, 0.743),
    "pneumoniamnist": (0.944, 0.854),
    "retinamnist": (0.717, 0.524),
    "breastmnist": (0.901, 0.863),
    "bloodmnist": (0.998, 0.958),
    "tissuemnist": (0.930, 0.676),
    "organamnist": (0.997, 0.935),
    "organcmnist": (0.992, 0.900),
    "organsmnist": (0.972, 0.782),
}
"""AUC and accuracy on the test images that the article states for ResNet-18 at 28 pixels (table 3,
"ResNet-18 (28)"): 2D sets only. Its AUC gives each class the same weight."""


@dataclass(frozen=True)
class MedMNIST:
    """One MedMNIST data set in memory.

    images: split → uint8 (n, y, x), (n, y, x, 3) or (n, z, y, x). labels: split → int64 (n,), or
    (n, classes) of 0 and 1 where `task` is 'multi-label, binary-class'. classes: names in the order
    of the labels. provenance: 'official' if the file's MD5 is the published one, else 'unverified'.
    """

    name: str
    size: int
    task: str
    classes: tuple[str, ...]
    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    licence: str
    md5: str
    provenance: str
    file: Path


@lru_cache
def info() -> dict[str, dict]:
    """The official package's INFO: name → description, addresses, MD5, classes, licence.

    Only its `info.py` is loaded: the whole package takes seconds and wants a working torchvision.
    """
    package = find_spec("medmnist")
    if package is None or package.origin is None:
        raise CourseError("The package medmnist is missing. Run `pip install medmnist`.")
    spec = spec_from_file_location("_medmnist_info", Path(package.origin).with_name("info.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.INFO


def load(
    name: str,
    size: int = 28,
    path: Path | str | None = None,
    allow_unverified: bool = False,
    progress: bool = True,
) -> MedMNIST:
    """Loads a data set from a local npz, or from the cache after downloading it there.

    Arguments: `name` as in INFO ('breastmnist'); `size` the pixels of one side; `path` a local npz
    file, or a folder that holds it. A file whose MD5 is not the published one is refused unless
    `allow_unverified`; then `provenance` says so.

    Raises CourseError for an unknown name or size, no network, a wrong MD5, or an archive that
    does not hold what INFO announces.
    """
    entry = _entry(name)
    url, expected = _published(name, size)
    file = located(name, size, path, progress)
    with open(file, "rb") as opened:
        md5 = hashlib.file_digest(opened, "md5").hexdigest()
    if md5 != expected and not allow_unverified:
        raise CourseError(
            f"{file} is not the official file: its MD5 is {md5}, published is {expected}. If it "
            "was only compressed anew its images may still be right, but nothing here can prove "
            f"it. Either get the official file from {url}, or accept this one with "
            "`--allow-unverified` (in Python: allow_unverified=True); results then say "
            "'unverified'."
        )
    found = arrays(file)
    _validate(name, size, entry, found, file)
    return MedMNIST(
        name=name,
        size=size,
        task=entry["task"],
        classes=tuple(entry["label"][str(k)] for k in range(len(entry["label"]))),
        images={split: found[f"{split}_images"] for split in SPLITS},
        labels={split: _labels(found[f"{split}_labels"]) for split in SPLITS},
        licence=entry["license"],
        md5=md5,
        provenance="official" if md5 == expected else "unverified",
        file=file,
    )


def _entry(name: str) -> dict:
    known = info()
    if name not in known:
        near = get_close_matches(name.lower(), known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise CourseError(f"MedMNIST has no data set {name!r}. {hint}")
    return known[name]


def _published(name: str, size: int) -> tuple[str, str]:
    """Address and MD5 of a data set at so many pixels a side; CourseError if there is none."""
    entry, suffix = _entry(name), "" if size == 28 else f"_{size}"
    if f"MD5{suffix}" not in entry:
        sizes = [28] + [int(key[4:]) for key in entry if key.startswith("MD5_")]
        raise CourseError(f"{name} has no size {size}. It exists at {sizes} pixels a side.")
    return entry[f"url{suffix}"], entry[f"MD5{suffix}"]


def place(name: str, size: int = 28) -> Path:
    """Where the file lies, or would be fetched to: the cache, or where medmnist keeps its own."""
    file = f"{name}{'' if size == 28 else f'_{size}'}.npz"
    cached, theirs = cache_dir() / "medmnist" / file, Path.home() / ".medmnist" / file
    return theirs if theirs.is_file() and not cached.is_file() else cached


def located(
    name: str, size: int = 28, path: Path | str | None = None, progress: bool = True
) -> Path:
    """The npz at `path`, else in the cache, else where medmnist keeps its own, else fetched; its
    MD5 is compared only after a download.

    Raises CourseError for an unknown name or size, no file at `path`, no network, a wrong MD5.
    """
    url, md5 = _published(name, size)
    target = place(name, size)
    if path is not None:
        file = Path(path).expanduser()
        file = file / target.name if file.is_dir() else file
        if not file.is_file():
            raise CourseError(
                f"{file} does not exist. Download it from {url} (MD5 {md5}), or leave out the path "
                "to let the course download it."
            )
        return file
    if target.is_file():
        return target
    with alone(target.parent, target.name):
        if target.is_file():  # another process was faster
            return target
        try:
            return download(url, target, md5, "md5", progress=progress)
        except Unreachable as error:
            raise CourseError(
                f"Could not download {url}: {error}. Run the same command again where there is "
                f"network (it goes on where it stopped), or put the file {target.name} (MD5 {md5}) "
                f"into {target.parent} by hand."
            ) from error


def arrays(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a file in MedMNIST's form, unchecked.

    Raises CourseError when it is broken or lacks one.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            keys = [f"{split}_{part}" for split in SPLITS for part in ("images", "labels")]
            if missing := sorted(set(keys) - set(archive.files)):
                raise CourseError(
                    f"{file} is no MedMNIST file: it lacks {', '.join(missing)}. Expected "
                    "train, val and test, each with _images and _labels."
                )
            return {key: archive[key] for key in keys}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise CourseError(
            f"{file} cannot be read as an npz archive ({error}). It may be cut off: download it "
            "again."
        ) from error


def _validate(name: str, size: int, entry: dict, arrays: dict, file: Path) -> None:
    """CourseError unless shapes, types, counts and label range are those INFO announces."""
    cube = (size,) * (3 if name.endswith("3d") else 2)
    shape = cube + ((3,) if entry["n_channels"] == 3 else ())
    classes = len(entry["label"])
    multi_label = entry["task"].startswith("multi-label")
    for split in SPLITS:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        count = entry["n_samples"][split]
        wanted = (count, classes if multi_label else 1)
        highest = 1 if multi_label else classes - 1
        for part, found, good in (
            ("images", f"{images.dtype} {images.shape}", f"uint8 {(count, *shape)}"),
            ("labels", labels.shape, wanted),
        ):
            if found != good:
                raise CourseError(_unlike(file, f"{split}_{part}", found, good, name, size))
        whole = np.issubdtype(labels.dtype, np.integer)
        if not whole or labels.min() < 0 or labels.max() > highest:
            found = f"{labels.dtype} from {labels.min()} to {labels.max()}"
            good = f"whole numbers from 0 to {highest}"
            raise CourseError(_unlike(file, f"{split}_labels", found, good, name, size))


def _unlike(file: Path, key: str, found: object, good: object, name: str, size: int) -> str:
    return (
        f"{file} is not {name} at size {size}: {key} is {found}, expected {good}. Check the name "
        "and the size, or download it again."
    )


def _labels(labels: np.ndarray) -> np.ndarray:
    labels = labels.astype(np.int64)
    return labels[:, 0] if labels.shape[1] == 1 else labels
