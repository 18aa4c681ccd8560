"""Who works on a job: a claim file for each, so that two benches on one store share the work.

A process number means something on one machine, since its last start, and in one container only. A
name therefore says all of these; whether the owner of a foreign name still lives is told by its
claim alone, which it touches while it works.
"""

import os
import platform
import secrets
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import psutil

from course_lib.errors import Refused

BEAT_S = 20.0  # how often a claim is touched
STALE_S = 180.0  # a foreign claim that was not touched for so long is anyone's


@lru_cache
def here() -> str:
    """This machine since its start, and this container: where a process number means something."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        machine += os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        machine = f"{platform.node()} {uuid.getnode()}"
    return sha256(machine.encode()).hexdigest()[:12]


def me() -> str:
    """A name for this process that no other process of any machine has."""
    return f"{here()}-{os.getpid()}-{_born(os.getpid())}"


def _born(process: int) -> int:
    """When a process was started. Linux counts from the machine's start, whatever becomes of the
    clock on the wall."""
    try:
        about = Path(f"/proc/{process}/stat").read_bytes()
        return int(about.rpartition(b")")[2].split()[19])
    except OSError:
        return round(psutil.Process(process).create_time())


def alive(process: int, born: int | None = None) -> bool:
    """Whether a process still works; one that was killed but not yet buried does not.

    Arguments:
        born: when it was started; another process may have got the same number later.
    """
    try:
        if born is not None and _born(process) != born:
            return False
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lives(name: str) -> bool | None:
    """Whether the process of this name works; None if that cannot be told from here."""
    try:
        place, process, born = name.split("-")[:3]
        numbers = int(process), int(born)
    except ValueError:
        return None
    if place != here() or not 0 < numbers[0] < 2**31:
        return None
    return alive(*numbers)


def age(path: Path) -> float:
    """Seconds since `path` was touched, by the clock of the disk that it lies on."""
    probe = path.with_name(f".now-{secrets.token_hex(4)}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def abandoned(path: Path) -> bool:
    """Whether the owner of a claim is gone."""
    try:
        living = lives(path.read_text("utf-8"))
        return _stale(path) if living is None else not living
    except FileNotFoundError:
        return True
    except (ValueError, OSError):  # damaged, or no file
        return _stale(path)


def _stale(path: Path) -> bool:
    """Whether a claim was long untouched, or is of a time to come: then a clock was wrong."""
    return abs(age(path)) > STALE_S


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process has the claim, which it then keeps until the block ends."""
    name = f"{me()}-{secrets.token_hex(4)}"
    mine = _take(path, name)
    over = threading.Event()
    if mine:
        threading.Thread(target=_beat, args=(path, name, over), daemon=True).start()
    try:
        yield mine
    finally:
        over.set()
        if mine and _owner(path) == name:
            path.unlink(missing_ok=True)


def _take(path: Path, name: str) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.write(name)
                return True
            except FileExistsError:
                if not abandoned(path):
                    return False
                release(path)
    except OSError as error:
        raise Refused(
            f"Cannot write records to {path.parent} ({error.strerror}). "
            "Choose another folder with --store."
        ) from error
    return False


def release(path: Path) -> None:
    """Takes an abandoned claim away, unless another process was quicker and has made its own."""
    judged, aside = _owner(path), path.with_name(f".now-{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):
        os.replace(path, aside)
        if _owner(aside) != judged:
            os.replace(aside, path)
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        aside.unlink(missing_ok=True)


def _beat(path: Path, name: str, over: threading.Event) -> None:
    while not over.wait(BEAT_S) and _owner(path) == name:
        with suppress(OSError):
            os.utime(path)


def _owner(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None
