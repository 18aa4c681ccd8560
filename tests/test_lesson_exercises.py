"""Checkers accept right answers, reject wrong ones, and never stop the lesson."""

import contextlib
import os
import sys
import threading
import time

import pytest

from course_lib.errors import CourseError
from course_lib.lesson.exercise import Exercise, all_exercises, exercise, expect
from course_lib.lesson.limits import OutOfTime, limited

EXERCISES = all_exercises()
WRONG = [(each, *pair) for each in EXERCISES.values() for pair in each.wrong]
EACH = pytest.mark.parametrize("each", EXERCISES.values(), ids=EXERCISES)


@EACH
def test_the_library_and_other_right_answers_pass(each):
    for answer in (each.answer, *each.right):
        verdict = each.judge(answer)
        assert verdict.state == "right", verdict.why


@pytest.mark.parametrize(
    ("each", "answer", "belief"), WRONG, ids=[f"{each.id}: {why}" for each, _, why in WRONG]
)
def test_wrong_answers_are_rejected_in_plain_words(each, answer, belief):
    verdict = each.judge(answer)
    assert verdict.state == "wrong"
    assert len(verdict.why) > 20 and "Traceback" not in verdict.why


@EACH
def test_an_exercise_has_five_wrong_answers_and_three_growing_hints(each):
    assert len(each.wrong) >= 5 and len({why for _, why in each.wrong}) == len(each.wrong)
    assert len(each.hints) == 3 and all(len(hint) > 20 for hint in each.hints)


@EACH
@pytest.mark.parametrize(
    "crooked",
    [
        3,
        "text",
        lambda *a: 1 / 0,
        lambda *a: a[0] + "text",
        lambda: 0,
        lambda *a: [],
        lambda *a: float("nan"),
        lambda *a: exit(),
        lambda *a: a[0] * float("nan"),
    ],
)
def test_no_crooked_answer_passes_or_escapes(each, crooked):
    assert each.judge(crooked).state == "wrong"


def left_open_1(p, photons, generator):
    """Only a docstring."""
    ...


def left_open_2(p, photons, generator):
    pass


def left_open_3(p, photons, generator):
    raise NotImplementedError


def left_open_4(p, photons, generator):
    return ...


@EACH
@pytest.mark.parametrize(
    "candidate", [None, ..., left_open_1, left_open_2, left_open_3, left_open_4]
)
def test_an_open_exercise_goes_on_with_the_library(each, candidate, capsys):
    assert each.judge(candidate).state == "open"
    assert each.check(candidate) is each.answer
    assert "Still open" in capsys.readouterr().out


def test_a_forgotten_return_is_explained_not_called_open():
    def forgotten(hu, centre, width):
        grey = (hu - centre) / width + 0.5
        grey.clip(0, 1)

    verdict = exercise("start.window").judge(forgotten)
    assert verdict.state == "wrong" and "return" in verdict.why


def test_check_returns_the_learners_version_only_if_right(capsys):
    each = exercise("start.window")
    mine = each.right[0]
    assert each.check(mine) is mine
    assert "Right" in capsys.readouterr().out
    assert each.check(each.wrong[0][0]) is each.answer
    said = capsys.readouterr().out
    assert "Not yet" in said and 'exercise("start.window").hint(1)' in said


def test_an_error_is_told_with_the_learners_own_line():
    def broken(hu, centre, width):
        return hu - middle  # noqa: F821

    why = exercise("start.window").judge(broken).why
    assert "NameError" in why and "return hu - middle" in why


def fresh(check=lambda f: expect(f() == 1, "It should return 1.")):
    return Exercise("x.y", "One", ("a", "b", "c"), check, lambda: 1)


def test_hints_come_in_order_and_the_solution_after_them(capsys):
    each = fresh()
    each.solution()
    assert "hint(1)" in capsys.readouterr().out
    for level in (1, 2, 3):
        each.hint(level)
    assert "(3 of 3) c" in capsys.readouterr().out
    each.solution()
    assert "lambda: 1" in capsys.readouterr().out
    with pytest.raises(CourseError, match="1, 2 and 3"):
        each.hint(4)


def test_an_endless_loop_is_stopped_even_if_it_swallows_exceptions():
    def endless():
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    start = time.perf_counter()
    verdict = fresh().judge(endless, seconds=0.3)
    assert verdict.state == "wrong" and "never ends" in verdict.why
    assert time.perf_counter() - start < 2


def test_an_endless_loop_outside_the_main_thread_is_given_up():
    found, stop = [], threading.Event()

    def judge():
        found.append(fresh().judge(lambda: stop.wait(20), seconds=0.3))

    thread = threading.Thread(target=judge)
    thread.start()
    thread.join(5)
    stop.set()
    assert found and found[0].state == "wrong"


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory limits need Linux")
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_asking_for_100_gb_is_refused_and_the_limit_lifted(library):
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    module = pytest.importorskip(library)
    verdict = fresh().judge(lambda: module.ones(13_000_000_000).sum())
    assert verdict.state == "wrong" and "memory" in verdict.why
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert module.ones(10_000_000).sum() == 10_000_000


def test_the_timer_is_off_afterwards():
    import signal

    with pytest.raises(OutOfTime):
        limited(lambda: time.sleep(5), 0.1, 100)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert limited(lambda: 7, 1, 100) == 7


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def mute():
    raise Mute


def changes_the_kernel():
    import torch

    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    return 2


def unsets_the_alarm():
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    while True:
        pass


def leaves_a_child():
    import subprocess

    return subprocess.Popen(["sleep", "60"]).wait()


in_fork = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only")


@in_fork
@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (lambda: sum(range(10**11)), "never ends"),  # one call of C: no signal gets in
        (unsets_the_alarm, "never ends"),
        (leaves_a_child, "never ends"),
        (lambda: os._exit(0), "ended Python itself"),
        (lambda: os.kill(os.getpid(), 11), "SIGSEGV"),
        (lambda: sys.exit(0), "SystemExit"),
        (lambda: input("a number, please"), "keyboard"),
        (mute, "stopped with Mute"),
    ],
)
def test_whatever_a_learner_writes_the_kernel_goes_on(candidate, words):
    begin = time.perf_counter()
    verdict = fresh().judge(candidate, seconds=0.3)
    assert verdict.state == "wrong" and words in verdict.why
    assert time.perf_counter() - begin < 20
    assert fresh().judge(lambda: 1).state == "right"


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
def test_the_kernel_is_as_it_was_and_a_flood_of_print_is_cut(platform, monkeypatch, capsys):
    import torch

    monkeypatch.setattr("course_lib.lesson.limits.sys.platform", platform)
    before = os.getcwd(), torch.get_default_dtype(), torch.get_num_threads()
    assert fresh().judge(changes_the_kernel).state == "wrong"
    assert "stopped with Mute" in fresh().judge(mute).why
    assert (os.getcwd(), torch.get_default_dtype(), torch.get_num_threads()) == before
    assert fresh().judge(lambda: print("x" * 10**6) or 1).state == "right"
    assert 1000 < len(capsys.readouterr().out) < 20_000


@in_fork
def test_a_checker_cannot_be_patched_away(monkeypatch):
    def patches():
        from course_lib.lesson import exercise as module

        module.Exercise._fault = lambda *_: ""
        return 2

    each = fresh()
    each.judge(patches)
    assert each.judge(lambda: 2).state == "wrong"


@in_fork
def test_torch_works_in_a_fork_after_the_kernel_has_used_its_threads():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        image = torch.rand(1, 8, 200, 200)
        weight = torch.rand(8, 8, 3, 3)
        torch.nn.functional.conv2d(image, weight)

        def convolve():
            return float(torch.nn.functional.conv2d(image, weight).isfinite().all())

        assert fresh().judge(convolve).state == "right"
    finally:
        torch.set_num_threads(before)


def test_unknown_exercises_are_named():
    with pytest.raises(CourseError, match=r"start\.window"):
        exercise("start.door")


def test_messages_escape_what_learners_write():
    from course_lib.lesson.message import Message

    html = Message("wrong", "<script>alert(1)</script>", "a < b")._repr_html_()
    assert "<script>" not in html and "a &lt; b" in html
