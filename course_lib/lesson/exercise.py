"""Exercises that check themselves, explain what is wrong, and never stop the lesson."""

import dis
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from course_lib.errors import CourseError
from course_lib.lesson.limits import Died, OutOfTime, limited
from course_lib.lesson.message import Message
from course_lib.lesson.shelf import load, names

SECONDS, MEGABYTES = 10.0, 2048.0


class Feedback(Exception):
    """What a checker raises: in plain words, what was expected and what came instead."""


def expect(condition: object, why: str) -> None:
    """Raises Feedback(why) unless the condition holds (unlike `assert`, also under `python -O`)."""
    if not condition:
        raise Feedback(why)


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a candidate, and why."""

    state: Literal["right", "open", "wrong"]
    why: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: the learner writes a function, `check` looks at what it does.

    checker   called with the candidate; raises Feedback (or lets its error through) if wrong
    answer    the library's version, with which the lesson goes on
    right     other correct answers that the checker must accept
    wrong     (answer, the misconception behind it): the checker must reject every one
    """

    id: str
    title: str
    hints: tuple[str, str, str]
    checker: Callable[[Callable], None]
    answer: Callable
    right: tuple[Callable, ...] = ()
    wrong: tuple[tuple[Callable, str], ...] = ()
    opened: set[int] = field(default_factory=set, compare=False, repr=False)

    def judge(self, candidate: Any, seconds: float = SECONDS) -> Verdict:
        """The verdict on a candidate, without showing anything (for tests and for grading)."""
        if is_open(candidate):
            return Verdict("open", "Nothing is written yet.")
        if not callable(candidate):
            kind = type(candidate).__name__
            return Verdict("wrong", f"A function was expected, this is a value of type {kind}.")
        try:
            why = limited(lambda: self._fault(candidate), seconds, MEGABYTES)
        except OutOfTime:
            why = (
                f"It was stopped after {seconds:g} seconds; the answer needs a fraction of one. "
                "Is there a loop that never ends, or a loop over single pixels?"
            )
        except MemoryError:
            why = (
                f"It asked for more than {MEGABYTES / 1024:g} GB of memory and was stopped. "
                "Compare the shape of your result with the shape of the input."
            )
        except Died as how:
            why = f"It ended Python itself ({how}) instead of returning a value."
        if why:
            return Verdict("wrong", why)
        return Verdict("right", f"{self.title}: your version is used from here on.")

    def _fault(self, candidate: Callable) -> str:
        """What is wrong with a candidate, in words; empty when nothing is."""
        try:
            self.checker(candidate)
        except Feedback as why:
            return str(why)
        except (MemoryError, OutOfTime):
            raise
        except BaseException as error:
            if "allocate memory" in _text(error):  # what torch says instead of MemoryError
                raise MemoryError from None
            return _own_words(error, candidate)
        return ""

    def check(self, candidate: Any) -> Callable:
        """Shows the verdict and returns the function to go on with: the learner's if it is right,
        the library's otherwise. The lesson goes on either way."""
        verdict = self.judge(candidate)
        text = verdict.why
        if verdict.state != "right":
            step = min(set(range(1, 4)) - self.opened, default=3)
            text += (
                f"\nThe lesson goes on with the library's version. "
                f'A hint: exercise("{self.id}").hint({step})'
            )
        Message(verdict.state, text).show()
        return candidate if verdict.state == "right" else self.answer

    def hint(self, level: int = 1) -> None:
        """Shows one hint: 1 where to look, 2 the idea, 3 nearly the code."""
        if level not in (1, 2, 3):
            raise CourseError(f"There are hints 1, 2 and 3; {level!r} is none of them.")
        self.opened.add(level)
        Message("hint", f"({level} of 3) {self.hints[level - 1]}").show()

    def solution(self) -> None:
        """Shows the library's version, once all three hints have been read."""
        unread = sorted({1, 2, 3} - self.opened)
        if unread:
            text = f'First read the hints: exercise("{self.id}").hint({unread[0]})'
            Message("open", text).show()
            return
        code = inspect.getsource(self.answer)
        Message("hint", "One way to write it; yours may look different.", code).show()


def all_exercises() -> dict[str, Exercise]:
    """Every exercise of every lesson, by its id."""
    from course_lib.lesson import exercises

    files = (load(exercises, lesson) for lesson in names(exercises))
    return {each.id: each for file in files for each in file.EXERCISES}


def exercise(name: str) -> Exercise:
    """The exercise called `name`, such as 'denoising.noisy_scan'; CourseError if there is none."""
    from course_lib.lesson import exercises

    file = load(exercises, name.partition(".")[0])
    for each in file.EXERCISES if file else ():
        if each.id == name:
            return each
    known = ", ".join(sorted(all_exercises()))
    raise CourseError(f"There is no exercise '{name}'. There are: {known}.")


def is_open(candidate: Any) -> bool:
    """Whether nothing has been written: no value, or a function whose body does nothing.

    A body that works but forgets its `return` is not open: it is a mistake worth explaining.
    """
    if candidate is None or candidate is Ellipsis:
        return True
    code = getattr(candidate, "__code__", None)
    if code is None:
        return False
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("RESUME", "NOP")]
    idle = all(step.opname in ("LOAD_CONST", "RETURN_VALUE", "RETURN_CONST") for step in steps)
    values = {step.argval for step in steps if step.opname != "RETURN_VALUE"}
    unfinished = [step.argval for step in steps if step.opname == "LOAD_GLOBAL"]
    return (idle and values <= {None, Ellipsis}) or unfinished == ["NotImplementedError"]


def _own_words(error: BaseException, candidate: Callable) -> str:
    """The learner's error and, when it is known, the line of their code that raised it."""
    text = _text(error)
    said = f"It stopped with {type(error).__name__}" + (f": {text}." if text else ".")
    trace, file = error.__traceback__, getattr(candidate, "__code__", None)
    while trace is not None and file is not None:
        if trace.tb_frame.f_code.co_filename == file.co_filename:
            line = linecache.getline(file.co_filename, trace.tb_lineno).strip()
            if line:
                return f"{said} The line: {line}"
        trace = trace.tb_next
    return said


def _text(error: BaseException) -> str:
    """An error's text; empty where it has none, or fails itself when asked for it."""
    try:
        return str(error)
    except BaseException:
        return ""
