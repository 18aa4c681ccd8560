"""Runs a learner's code so that it cannot hang the notebook or eat the machine's memory."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`: a learner's `except Exception:` must not swallow it."""


def limited(call: Callable[[], Any], seconds: float, megabytes: float) -> Any:
    """Calls `call()` and returns its value, within `seconds` and `megabytes` above what is in use.

    Raises OutOfTime when the time is up and MemoryError when memory is refused (torch's own error
    is turned into it). Both limits are lifted again whatever happens. The memory limit needs
    Linux; without POSIX timers, or outside the main thread, the call runs in a thread that is
    left behind when its time is up.
    """
    alarm = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    try:
        with _memory(megabytes):
            if not alarm:
                return _in_thread(call, seconds)
            with _alarm(seconds):
                return call()
    except RuntimeError as error:
        if "allocate memory" in str(error):  # what torch says instead of MemoryError
            raise MemoryError(str(error)) from error
        raise


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
    used = Path("/proc/self/statm")
    if not used.exists():  # macOS accepts the limit but does not keep it; Windows has none
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    # torch reserves far more address space than it uses, so the limit counts from here.
    now = int(used.read_text("utf-8").split()[0]) * resource.getpagesize()
    soft = now + int(megabytes * 2**20)
    limits = [limit for limit in (soft, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


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
