"""Processes that do one piece of work after another for the process that leads them.

The leader starts no thread and waits at one place, for answers and for a signal to stop. Signals
are for the leader alone: what runs below it is ended by it, or ends by itself when it is gone.
"""

import ctypes
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

import psutil

from course_lib.benchmark import interrupt
from course_lib.benchmark.claims import alive
from course_lib.benchmark.ends import of_process

NO_MORE = None  # said to a worker that may go
LOOK_S = 0.2  # how often the leader looks for a signal
LEAVE_S = 5.0  # how long a process may take to end
PARENT_GONE = 1  # PR_SET_PDEATHSIG of Linux


@dataclass(frozen=True)
class Lost:
    """The answer to a piece of work whose worker died or was stopped: why."""

    why: str


class Workers:
    """Fresh processes, which live as long as the `with` block."""

    def __init__(
        self, count: int, work: Callable[[Any], Any], prepare: Callable[[], None] = bool
    ) -> None:
        """
        Arguments:
            work: what a worker does with each piece of work; its answer is handed back.
            prepare: called once in each worker; `bool` does nothing.
        """
        self._count, self._work, self._prepare = count, work, prepare
        self._processes: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> Self:
        # It unblocks the signals as it starts, hence before they are blocked.
        resource_tracker.ensure_running()
        try:
            with interrupt.blocked():
                for _ in range(self._count):
                    self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # nobody works any more
            for connection in self._processes:
                with suppress(ConnectionError):
                    connection.send(NO_MORE)
            for process in self._processes.values():
                process.join(LEAVE_S)
        self._end()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work, self._prepare))
        process.start()
        theirs.close()
        self._processes[ours] = process
        return ours

    def _replaced(self, connection: Connection) -> Connection:
        """A new worker instead of one that hangs or is dead."""
        process = self._processes.pop(connection)
        if process.pid and process.is_alive():
            end([process.pid])
        connection.close()
        process.join(LEAVE_S)
        with interrupt.blocked():
            return self._start()

    def _end(self) -> None:
        end(process.pid for process in self._processes.values() if process.is_alive())
        for connection, process in self._processes.items():
            connection.close()
            process.join(LEAVE_S)

    def answers(
        self,
        pieces: Iterable[Any],
        watch: interrupt.Watch,
        look: Callable[[], object] = bool,
        stop: Callable[[Any, float], str | None] = lambda piece, seconds: None,
    ) -> Iterator[tuple[int, Any]]:
        """Has the pieces of work done, in their order; yields each number and answer as it comes,
        and calls `look` several times a second. A worker that dies or is stopped is replaced by
        another one, and its answer is Lost.

        Arguments:
            stop: of a piece that is worked on, and for how many seconds: why it shall be stopped.

        Raises Interrupted when a signal comes before the last answer, and what a worker raised.
        """
        waiting = deque(enumerate(pieces))
        idle, busy = list(self._processes), {}
        while waiting or busy:
            watch.check()
            while waiting and idle:
                connection = idle.pop()
                number, piece = waiting.popleft()
                busy[connection] = number, piece, time.monotonic()
                with suppress(ConnectionError):  # found out when the answer is fetched
                    connection.send(piece)
            look()
            ready = wait(list(busy), LOOK_S)
            for connection, (number, piece, since) in list(busy.items()):
                why = None if connection in ready else stop(piece, time.monotonic() - since)
                if connection not in ready and why is None:
                    continue
                del busy[connection]
                answer = Lost(why) if why is not None else self._received(connection)
                gone = isinstance(answer, Lost)
                idle.append(self._replaced(connection) if gone else connection)
                yield number, answer

    def _received(self, connection: Connection) -> Any:
        try:
            answer = connection.recv()
        except (EOFError, ConnectionError):
            process = self._processes[connection]
            process.join(LEAVE_S)
            return Lost(f"its worker process died: {of_process(process.exitcode)}")
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(connection: Connection, work: Callable, prepare: Callable[[], None]) -> None:
    """A worker: does what it gets until the leader has no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it cannot be blocked: Windows
    leader = end_with_parent()
    ask_for("SIGCONT")  # so that one that is halted ends too
    prepare()
    try:
        while (piece := connection.recv()) is not NO_MORE:
            try:
                answer = work(piece)
            except Exception as error:
                error.add_note(traceback.format_exc())
                answer = error
            connection.send(answer)
    except (EOFError, ConnectionError):
        leader.join()  # gone: the other thread ends this process


def end_with_parent() -> threading.Thread:
    """From now on this process ends, with what it has started, as soon as its parent is gone. A
    kernel that it starts at this very moment looks for its parent itself.

    Returns the thread that waits for the parent.
    """

    def wait_for_it() -> None:
        multiprocessing.parent_process().join()
        end(child.pid for child in psutil.Process().children())
        os._exit(1)

    thread = threading.Thread(target=wait_for_it, daemon=True)
    thread.start()
    return thread


def ask_for(name: str) -> None:
    """Has this process sent the signal of this name when its parent is gone. Linux only."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(PARENT_GONE, int(getattr(signal, name)))


def end(pids: Iterable[int]) -> None:
    """Ends processes and all that run below them. Each is halted before its children are counted,
    so that none is born unseen."""
    tree = [psutil.Process(pid) for pid in pids if alive(pid)]
    for process in tree:  # grows on the way
        with suppress(psutil.Error):
            process.suspend()
            tree += process.children()
            process.kill()
    deadline = time.monotonic() + LEAVE_S
    while any(alive(process.pid) for process in tree) and time.monotonic() < deadline:
        time.sleep(0.01)
