"""A signal to stop (Ctrl-C, SIGTERM, a closed terminal) is noted when it comes and obeyed at one
place.

Python raises KeyboardInterrupt wherever the program happens to be. In the midst of an import or of
the start of a process the exception is swallowed, turned into another one, or aborts the program;
and a program that a script started with `&` inherits SIGINT ignored and never hears of it.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, HANGUP)))
ONE_PRESS_S = 1.0  # a shell or `timeout` may hand the same Ctrl-C on a second time


class Interrupted(KeyboardInterrupt):
    """A signal asked this program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Watch:
    """Notes a signal to stop; a second one stops at once, and what runs below ends by itself."""

    number: int | None = None
    _since = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """What Python calls when the signal comes."""
        if self.number is None:
            self.number, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > ONE_PRESS_S:
            os._exit(128 + number)

    def check(self) -> None:
        """Raises Interrupted if a signal has come."""
        if self.number is not None:
            raise Interrupted(self.number)


@contextmanager
def held() -> Iterator[Watch]:
    """Signals to stop are noted, not raised, in the block. A block within another shares its watch;
    outside the main thread, which alone hears signals, nothing is noted."""
    outer = signal.getsignal(signal.SIGINT)
    if isinstance(outer, Watch):
        yield outer
        return
    watch = Watch()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = {n: signal.signal(n, watch) for n in SIGNALS if not _not_meant(n)}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _not_meant(number: int) -> bool:
    """Whether the program shall outlive its terminal: it was started with `nohup`."""
    return number == HANGUP and signal.getsignal(number) == signal.SIG_IGN


@contextmanager
def blocked() -> Iterator[None]:
    """Processes started in the block never get a signal to stop, nor does anything they start."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
