"""Getting one file over the network: resumed, retried, and kept only if its hash is right."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from course_lib.errors import CourseError

ATTEMPTS = 4
PAUSE_S = 1.0  # before the second attempt; doubled before each further one
TIMEOUT_S = (10, 60)  # to connect, and between two pieces of the answer
PIECE = 1 << 15  # bytes; what a broken connection loses at most


class Unreachable(Exception):
    """The network, or what it answered, is at fault; another way may still lead there."""


def download(
    url: str,
    target: Path,
    digest: str,
    algorithm: str = "sha256",
    size: int | None = None,
    progress: bool = True,
    session: requests.Session | None = None,
) -> Path:
    """Downloads `url` to `target`, which appears only when it is complete and its hash right.

    What has arrived is kept in `target` + ".part", and the next call goes on from there.

    Arguments: `digest` in hexadecimal; `size` in bytes if known; `url` may be http(s) or file.
    Raises Unreachable (network) or CourseError (wrong content, folder not writable).
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tqdm(
            total=size, unit="B", unit_scale=True, desc=target.name[:40], disable=not progress
        ) as bar:
            if urlsplit(url).scheme == "file":
                _copy(url, part, bar)
            else:
                _stream(session or requests.Session(), url, part, size, bar)
        check(part, digest, algorithm, size)
        os.replace(part, target)
    except requests.RequestException as error:  # an OSError too, so it must come first
        raise Unreachable(str(error)) from error
    except OSError as error:
        raise not_writable(target.parent, error) from error
    return target


def check(file: Path, digest: str, algorithm: str = "sha256", size: int | None = None) -> None:
    """Deletes `file` and raises CourseError unless its size and hash are as expected."""
    with open(file, "rb") as opened:
        found = hashlib.file_digest(opened, algorithm).hexdigest()
    if found == digest:
        return
    bytes_found = file.stat().st_size
    file.unlink()
    expected = digest if size is None else f"{digest} ({size:,} bytes)"
    raise CourseError(
        f"{file.name.removesuffix('.part')} is not the expected file: its {algorithm} is {found} "
        f"({bytes_found:,} bytes), expected {expected}. It was deleted; run the same command again."
        " If that does not help, a proxy or mirror on the way gives out another file."
    )


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Lets one process at a time fetch `name` into `folder`; the others wait for it to finish."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{name}: another process is fetching it; waiting for it to finish")
            lock.acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def not_writable(folder: Path, error: OSError) -> CourseError:
    """The error for a folder that is read-only, full, or cannot be made."""
    return CourseError(
        f"Cannot write to {folder} ({error.strerror or error}). Free some space or make the folder "
        "writable, or set COURSE_DATA to another folder, and run the same command again."
    )


def _copy(url: str, part: Path, bar: tqdm) -> None:
    source = Path(url2pathname(urlsplit(url).path))
    if not source.is_file():
        raise Unreachable(f"{source} does not exist")
    shutil.copyfile(source, part)
    bar.update(part.stat().st_size)


def _stream(session: requests.Session, url: str, part: Path, size: int | None, bar: tqdm) -> None:
    """Appends to `part` until it is whole; each attempt goes on where the last one broke off."""
    problem = "no attempt was made"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        try:
            whole = _append(session, url, part, size, bar)
        except (requests.ConnectionError, requests.Timeout) as error:
            reason = getattr(error.args[0], "reason", None) if error.args else None
            problem = str(reason or error)
        except requests.exceptions.ChunkedEncodingError as error:
            problem = f"the connection broke off ({error})"
        except requests.HTTPError as error:
            problem = str(error)
            if error.response.status_code < 500:
                break  # asking again will not change a refusal
        else:
            have = part.stat().st_size
            if whole is None or have >= whole:
                return
            problem = f"the connection closed after {have:,} of {whole:,} bytes"
    raise Unreachable(problem)


def _append(
    session: requests.Session, url: str, part: Path, size: int | None, bar: tqdm
) -> int | None:
    """One request. Returns how many bytes the whole file has, if that is known."""
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        return size  # nothing is left to ask for; the hash decides what it is worth
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server does not have the rest of what was kept")
        answer.raise_for_status()
        if answer.status_code != 206:
            have = 0  # the server sends everything anew
        length = int(answer.headers.get("Content-Length", 0))
        whole = size or (have + length if length else None)
        bar.total, bar.n = whole, have
        with open(part, "ab" if have else "wb") as file:
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                bar.update(len(piece))
                have += len(piece)
                if whole is not None and have > whole:
                    break  # never fill the disk with what cannot be right
    return whole
