"""Runs a learner's code so that it cannot hang the notebook, eat the memory or change the kernel.

On Linux it runs in a fork of the kernel, which knows all that the kernel knows: whatever it does
there, even a crash or a loop in C, ends with the fork. Elsewhere, and where a graphics card is in
use, which no fork can use, it runs in the kernel and is stopped by a timer.
"""

import builtins
import contextlib
import faulthandler
import io
import json
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PRINTED = 10_000  # letters of what a learner's code prints that are shown
START_S = 0.5  # what a fork may take beside its work


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`: a learner's `except Exception:` must not swallow it."""


class Died(Exception):
    """The process that ran the code ended without an answer."""


def limited(call: Callable[[], Any], seconds: float, megabytes: float) -> Any:
    """Calls `call()` and returns its value, within `seconds` and `megabytes` above what is in use.

    Arguments:
        call: its value must be one that JSON can hold; errors other than MemoryError are its own
            affair.

    Raises OutOfTime when the time is up, MemoryError when memory is refused, and Died when the
    code ended its process. The memory limit needs Linux.
    """
    torch = sys.modules.get("torch")
    if sys.platform == "linux" and not (torch and torch.cuda.is_initialized()):
        return _in_fork(call, seconds, megabytes)
    with _restored():
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            with _alarm(seconds):
                return call()
        return _in_thread(call, seconds)


def _in_fork(call: Callable[[], Any], seconds: float, megabytes: float) -> Any:
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Other threads of the kernel may hold locks; the fork uses none of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_fork(call, megabytes, writing)  # never returns
    os.close(writing)
    try:
        answer = _awaited(reading, seconds + START_S)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # with all that it has started
        _, ended = os.waitpid(child, 0)
    if not answer:
        number = os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0
        raise Died(signal.Signals(number).name if number not in (0, signal.SIGKILL) else "exit")
    said = json.loads(answer)
    print(said["printed"], end="")
    if said["memory"]:
        raise MemoryError(said["memory"])
    return said["value"]


def _awaited(reading: int, seconds: float) -> bytes:
    """What comes out of a pipe until it is closed; OutOfTime when that takes too long."""
    deadline = time.monotonic() + seconds
    pieces: list[bytes] = []
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise OutOfTime
        piece = os.read(reading, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _be_the_fork(call: Callable[[], Any], megabytes: float, writing: int) -> None:
    """Answers through the pipe and ends; nothing of the kernel's is tidied up or told."""
    answer: dict[str, Any] = {"value": None, "memory": "", "printed": ""}
    paper = _Paper()
    try:
        os.setsid()
        faulthandler.disable()  # a crash is told in the verdict
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _cut_off(paper)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # the kernel's threads are not in the fork
        with _memory(megabytes):
            answer["value"] = call()
    except MemoryError as error:
        answer["memory"] = str(error) or "refused"
    except BaseException:
        os._exit(1)
    answer["printed"] = paper.shown()
    left = json.dumps(answer).encode()
    while left:
        left = left[os.write(writing, left) :]
    os._exit(0)


def _cut_off(paper: "_Paper") -> None:
    """What is printed goes to `paper`, what C code writes nowhere; there is no keyboard."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.stdout = sys.stderr = paper

    def input(prompt: object = "") -> str:
        raise EOFError("an exercise has no keyboard")

    builtins.input = input


class _Paper(io.TextIOBase):
    """Keeps the beginning of what is printed."""

    def __init__(self) -> None:
        self._text = ""
        self._lost = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Keeps what there is still room for."""
        kept = str(text)[: PRINTED - len(self._text)]
        self._text += kept
        self._lost += len(text) - len(kept)
        return len(text)

    def shown(self) -> str:
        """What was kept, and how much was not."""
        return self._text + (f"\n… {self._lost:,} more letters\n" if self._lost else "")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    # It rings again and again: a bare `except:` in a loop swallows one bell, not all of them.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _memory(megabytes: float) -> Iterator[None]:
    """Refuses memory beyond the limit; torch's own error becomes a MemoryError."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    # torch reserves far more address space than it uses, so the limit counts from here.
    used = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * resource.getpagesize()
    soft = used + int(megabytes * 2**20)
    limits = [limit for limit in (soft, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def _restored() -> Iterator[None]:
    """Afterwards the folder, the kind of numbers and the threads are as before."""
    torch, folder = sys.modules.get("torch"), os.getcwd()
    kind = (torch.get_default_dtype(), torch.get_num_threads()) if torch else None
    paper = _Paper()
    try:
        with contextlib.redirect_stdout(paper), contextlib.redirect_stderr(paper):
            yield
    finally:
        print(paper.shown(), end="")
        os.chdir(folder)
        if torch and kind:
            torch.set_default_dtype(kind[0])
            torch.set_num_threads(kind[1])


def _in_thread(call: Callable[[], Any], seconds: float) -> Any:
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise OutOfTime
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
