"""Public data sets by name, for those who have a network: `medmnist/NAME`, `msd/TASK`.

They are fetched into the cache, compared with their published MD5, and then read as the user's own
data are. What is not ours to pass on stays where it is published: here are addresses, no images.
"""

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePosixPath

import yaml

from course_lib.cases import is_public
from course_lib.data import archives, medmnist
from course_lib.data.download import Unreachable, alone, check, download, not_writable
from course_lib.errors import CourseError
from course_lib.files import cache_dir, resource

SEAL = ".fetched.json"  # beside the files of an archive: how many there are, in how many bytes


@dataclass(frozen=True)
class Public:
    """A public data set.

    name: `medmnist/breastmnist`, `medmnist/pathmnist_64`, `msd/Task04_Hippocampus`. place: the file
    or folder that it has, or would have, here. addresses, md5: of an archive to unpack; of MedMNIST
    its own module knows them.
    """

    name: str
    licence: str
    place: Path
    addresses: tuple[str, ...] = ()
    md5: str = ""


def names() -> tuple[str, ...]:
    """All names, without MedMNIST's sizes."""
    tasks = (f"msd/{task.partition('_')[2].lower()}" for task in _decathlon()["tasks"])
    return (*(f"medmnist/{name}" for name in medmnist.info()), *tasks)


def get(name: str) -> Public:
    """The public data set of that name.

    Raises CourseError with the nearest name when there is none.
    """
    kind, _, rest = name.partition("/")
    if kind == "medmnist" and (found := re.fullmatch(r"(\w+?)(?:_(\d+))?", rest)):
        entry = medmnist.info().get(found[1])
        if entry:
            return Public(name, entry["license"], medmnist.place(found[1], int(found[2] or 28)))
    about = _decathlon()
    for task, md5 in about["tasks"].items():
        if kind == "msd" and rest.lower() in (task.lower(), task.partition("_")[2].lower()):
            addresses = tuple(one.format(archive=f"{task}.tar") for one in about["addresses"])
            place = cache_dir() / "msd" / task
            return Public(f"msd/{task}", about["licence"], place, addresses, md5)
    near = get_close_matches(name, names(), n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names())}."
    raise CourseError(f"There is no public data set {name!r}. {hint}")


def licence(dataset: str) -> str:
    """Its licence; empty for what is not public."""
    return get(dataset.partition("?")[0]).licence if is_public(dataset) else ""


def fetch(name: str, progress: bool = True) -> str:
    """Makes sure that a public data set lies in the cache, and returns a line that says where, and
    under which licence.

    Downloads go on where they stopped. Raises CourseError with address, checksum and folder.
    """
    found = get(name)
    if not found.addresses:
        base, _, size = found.place.stem.partition("_")
        medmnist.located(base, int(size or 28), progress=progress)
    elif not found.place.exists():
        with alone(found.place.parent, found.place.name):
            if not found.place.exists():  # another process may have fetched it meanwhile
                _unpack(found, _archive(found, progress))
    whole(name)
    return f"{found.name}: {found.place} ({found.licence})"


def whole(name: str) -> None:
    """Raises CourseError when the data set is not here, or files of it were added or taken away.

    What is in the files is compared where they are read: MedMNIST's MD5 with the published one,
    the others' with what the job's record holds.
    """
    found = get(name)
    if not found.place.exists():
        raise CourseError(f"{found.name} is not here. Run `course data fetch {found.name}`.")
    if not found.addresses:
        return
    seal = found.place / SEAL
    if not seal.is_file() or json.loads(seal.read_text(encoding="utf-8")) != _census(found.place):
        raise CourseError(
            f"{found.place} is not what was fetched as {found.name}: files were added, removed or "
            f"changed. Delete that folder and run `course data fetch {found.name}`."
        )


@lru_cache
def _decathlon() -> dict:
    return yaml.safe_load((resource("datasets") / "public.yaml").read_text(encoding="utf-8"))


def _census(folder: Path) -> dict[str, int]:
    """How many files a folder holds, and how many bytes; hidden ones do not count."""
    sizes = [
        file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    ]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _archive(found: Public, progress: bool) -> Path:
    """The archive beside the place, its MD5 compared; downloaded unless it lies there."""
    target = found.place.with_name(f"{found.place.name}.tar")
    if target.is_file():  # put there by hand, or left by a run that was cut off
        check(target, found.md5, "md5")
        return target
    said = []
    for address in found.addresses:
        try:
            return download(address, target, found.md5, "md5", progress=progress)
        except Unreachable as error:
            said.append(f"{address}: {error}")
    raise CourseError(
        f"Could not download {found.name}: {'; '.join(said)}. Run the same command again where "
        f"there is network (it goes on where it stopped), or put the file {target.name} (MD5 "
        f"{found.md5}) into {target.parent} by hand."
    )


def _unpack(found: Public, archive: Path) -> None:
    """Unpacks beside the final place and moves the whole folder there; the archive goes away."""
    parent, advice = found.place.parent, f"Delete {archive} and fetch {found.name} again."
    try:
        for left in parent.glob(f".{found.place.name}.*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{found.place.name}.", dir=parent) as temporary:
            for member in archives.members(archive, advice):
                inside = PurePosixPath(member.name)
                if inside.parts[0] == found.place.name and not inside.name.startswith("."):
                    archives.write(member, Path(temporary) / inside, archive.stat().st_size, advice)
            fresh = Path(temporary) / found.place.name
            if not (fresh / "dataset.json").is_file():
                raise CourseError(
                    f"{archive.name} holds no {found.place.name}/dataset.json. {advice}"
                )
            (fresh / SEAL).write_text(json.dumps(_census(fresh)), encoding="utf-8")
            os.replace(fresh, found.place)
    except archives.BROKEN as error:
        raise CourseError(
            f"{archive.name} is not a readable archive ({error}). {advice}"
        ) from error
    except OSError as error:
        raise not_writable(parent, error) from error
    archive.unlink(missing_ok=True)
