"""One signal stops a bench whenever it comes: nothing keeps running, nothing is left half-done."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import cycle
from pathlib import Path

import psutil
import pytest

from course_lib.benchmark import interrupt
from course_lib.benchmark.store import Store
from course_lib.benchmark.workers import Lost, Workers

pytestmark = pytest.mark.slow
STAND_IN = Path(__file__).with_name("stand_in_bench.py")
BENCH = [sys.executable, "-m", "course_lib.cli", "bench", "--task", "denoising", "--workers", "1"]
BENCH += ["--method", "noisy_input", "--dataset", "chest_ct", "--profile", "smoke"]
CODES = {number: 128 + number for number in interrupt.SIGNALS}
CODES |= {signal.SIGKILL: -signal.SIGKILL}
DEAF = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # what a script's `course bench &` inherits


def start(command, runs):
    """The leader of a process group; all below it carries a mark that `below` looks for."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"STOPPED_BENCH": str(runs)},
        encoding="utf-8",
    )


def below(runs):
    """The processes of a bench that still run, in whatever session they are."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("STOPPED_BENCH") == str(runs)
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(event, seconds):
    deadline = time.time() + seconds
    while not (found := event()) and time.time() < deadline:
        time.sleep(0.02)
    return found


def assert_nothing_is_left(runs):
    """Nothing runs and no work in flight lies about, once the leader has ended."""
    # The tracker of semaphores ends a moment after those whose semaphores it tracks.
    assert wait_for(lambda: not below(runs), 20), below(runs)
    assert not list(runs.glob(".partial-*"))


def stand_in(runs, number=0, line=0, deaf=False):
    """Runs the stand-in bench; returns its exit code, what it printed, and what is finished."""
    command = [sys.executable, str(STAND_IN), "bench", str(runs), str(int(number)), str(line)]
    process = start(DEAF + command if deaf else command, runs)
    printed = process.communicate(timeout=120)[0]
    return process.returncode, printed, Store(runs).records()


def test_a_bench_stops_at_whatever_line_the_signal_comes(tmp_path):
    """SIGINT and SIGTERM in turn, to all processes of the bench, at lines of the leader's code from
    the first to those after the last result; the more the nearer to the start."""
    code, printed, records = stand_in(tmp_path / "whole")
    assert code == 0 and len(records) == 6
    lines, moments = int(printed), 16
    stopped = 0
    for n, number in zip(range(moments), cycle([signal.SIGINT, signal.SIGTERM])):
        runs = tmp_path / str(n)
        code, _, records = stand_in(runs, number, 1 + int(lines * (n / moments) ** 2))
        assert code == CODES[number] or (code == 0 and len(records) == 6), (n, code)
        assert all(record["status"] == "done" for record in records)
        assert_nothing_is_left(runs)
        stopped += code != 0
    assert stopped > moments // 2


def test_a_bench_stops_though_it_was_started_with_signals_ignored(tmp_path):
    code, _, records = stand_in(tmp_path, signal.SIGINT, 150, deaf=True)
    assert code == 130 and len(records) < 6
    assert_nothing_is_left(tmp_path)


def test_workers_end_by_themselves_when_their_leader_is_killed(tmp_path):
    process = start([sys.executable, str(STAND_IN), "bench", str(tmp_path), "0", "0"], tmp_path)
    assert wait_for(lambda: list(tmp_path.glob(".partial-*")), 30)
    process.kill()
    process.wait()
    assert wait_for(lambda: not below(tmp_path), 10), below(tmp_path)
    code, _, records = stand_in(tmp_path)
    assert code == 0 and len(records) == 6
    assert_nothing_is_left(tmp_path)


def kernel_alive(runs):
    return any("ipykernel_launcher" in process.cmdline() for process in below(runs))


def kernel_server_alive(runs):
    return any("forkserver" in " ".join(process.cmdline()) for process in below(runs))


MOMENTS = {
    "imports": (signal.SIGINT, lambda runs: time.sleep(0.5) or True),
    "partial": (signal.SIGINT, lambda runs: list(runs.glob(".partial-*"))),
    "kernel": (signal.SIGTERM, kernel_alive),
    "server": (signal.SIGINT, kernel_server_alive),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_bench_with_real_kernels_stops(tmp_path, moment):
    number, event = MOMENTS[moment]
    command = [*BENCH, "--seeds", "2" if moment == "server" else "1", "--store", str(tmp_path)]
    process = start(command, tmp_path)
    assert wait_for(lambda: event(tmp_path), 60)
    os.killpg(process.pid, number)
    process.communicate(timeout=120)
    assert process.returncode == CODES[number]
    assert_nothing_is_left(tmp_path)
    assert not Store(tmp_path).records()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_bench_loses_only_the_job_in_flight(tmp_path, number):
    """Nothing keeps running, finished records survive, and the same command runs the rest."""
    runs = tmp_path / "runs"
    command = [*BENCH, "--seeds", "2", "--store", str(runs)]
    process = start(command, runs)
    assert wait_for(lambda: list(runs.glob("[!.]*/record.json")), 120)
    assert len(below(runs)) >= 3  # a leader, its worker and that one's kernel
    os.killpg(process.pid, number)
    process.communicate(timeout=120)
    assert process.returncode == CODES[number]
    assert wait_for(lambda: not below(runs), 20), below(runs)
    finished = Store(runs).records()
    assert len(finished) == 1 and finished[0]["status"] == "done"
    if number == signal.SIGKILL:  # what it left half-done goes when a sweep begins
        Store(runs).clear()
    assert not list(runs.glob(".partial-*"))
    if number == signal.SIGINT:
        result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
        assert result.returncode == 0, result.stderr
        assert "1 done, 0 failed, 1 cached" in result.stdout
        assert len(Store(runs).records()) == 2 and not list(runs.glob(".partial-*"))


def test_a_signal_is_noted_once_and_raised_where_it_is_looked_for():
    before = [signal.getsignal(number) for number in interrupt.SIGNALS]
    with interrupt.held() as watch, interrupt.held() as inner:
        watch.check()
        signal.raise_signal(signal.SIGTERM)
        assert inner is watch
        with pytest.raises(KeyboardInterrupt, match="SIGTERM") as caught:
            watch.check()
        assert caught.value.exit_code == 143
    assert [signal.getsignal(number) for number in interrupt.SIGNALS] == before


def test_a_second_signal_ends_the_program_unless_it_is_an_echo_of_the_first(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with interrupt.held() as watch:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert codes == []
        monkeypatch.setattr(interrupt, "ONE_PRESS_S", 0.0)
        signal.raise_signal(signal.SIGINT)
        assert codes == [130]
        with pytest.raises(KeyboardInterrupt):
            watch.check()


def test_a_sweep_outside_the_main_thread_leaves_signals_alone():
    seen = []

    def look():
        with interrupt.held() as watch:
            seen.append((watch.number, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


def test_signals_do_not_reach_workers():
    """Blocked, not ignored: nbclient sets handlers of its own, which would end the kernel alone."""
    with Workers(1, partial(signal.pthread_sigmask, signal.SIG_BLOCK)) as team:
        [(_, blocked)] = team.answers([[]], interrupt.Watch())
    assert set(interrupt.SIGNALS) <= blocked


def test_workers_hand_back_answers_errors_and_their_own_death():
    watch = interrupt.Watch()
    with Workers(2, abs) as team:
        assert sorted(team.answers([-3, 4, -5], watch)) == [(0, 3), (1, 4), (2, 5)]
    with Workers(1, int) as team, pytest.raises(ValueError, match="invalid literal") as caught:
        list(team.answers(["7", "seven"], watch))
    assert "workers.py" in caught.value.__notes__[0]
    with Workers(1, os._exit) as team:
        first, second = team.answers([9, 7], watch)
    assert "died: it ended by itself with status 9" in first[1].why and "status 7" in second[1].why


def test_a_worker_that_is_stopped_is_replaced():
    stopped = []

    def stop(piece, seconds):
        stopped.append(piece)
        return "long enough." if piece == 60 else None

    with Workers(1, time.sleep) as team:
        found = list(team.answers([60, 0], interrupt.Watch(), stop=stop))
    assert found == [(0, Lost("long enough.")), (1, None)] and 60 in stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_bench_ends_with_a_worker_that_is_halted(tmp_path, number):
    """A halted worker hears nothing, and does nothing when its leader is gone."""
    heard = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    process = start([sys.executable, "-m", "tests.stand_in_jobs", str(tmp_path)], tmp_path)
    signal.signal(signal.SIGHUP, heard)
    assert wait_for(lambda: list(tmp_path.glob("begun-*")), 120)
    halted = psutil.STATUS_STOPPED
    assert wait_for(lambda: any(p.status() == halted for p in below(tmp_path)), 30)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == CODES[number]
    assert wait_for(lambda: not below(tmp_path), 30), below(tmp_path)
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob(".*"))


def test_a_bench_started_with_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupt.held() as watch:
            signal.raise_signal(signal.SIGHUP)
            watch.check()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with interrupt.held() as watch:
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt) as caught:
                watch.check()
            assert caught.value.exit_code == 128 + signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)
