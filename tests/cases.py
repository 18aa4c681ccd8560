"""Small cases of every question, made once: the built-in ones, and stand-ins for a user's own."""

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module

from course_lib import catalogue
from course_lib.cases import is_own
from course_lib.tasks.base import Question, Splits


@lru_cache(maxsize=8)
def smoke_splits(section: str, dataset: str | None = None) -> Splits:
    """Cases of a section in profile smoke; by default of its first data set. `path:` stands for
    those that `tests/<section>/example.py` makes as a user would bring them."""
    dataset = dataset or next(iter(catalogue.datasets(section)))
    if is_own(dataset):
        return import_module(f"tests.{section}.example").own_splits()
    return catalogue.question(section, dataset).make(dataset, "smoke", 0)


def kinds(entry: catalogue.Entry) -> Iterator[tuple[Question, str]]:
    """(question, data set): one of each kind that a method answers."""
    for question in catalogue.questions(entry.section):
        if question.asked_of:  # of a kind of the user's own data: it has tests of its own
            continue
        fitting = [d for d in question.kinds or question.sources if catalogue.fits(entry, d)]
        yield from ((question, dataset) for dataset in fitting[: None if question.kinds else 1])


def two_kinds(entry: catalogue.Entry) -> list[tuple[Question, str]]:
    """Two data sets of a method whose facts differ, if it answers such; else fewer."""
    found: list[tuple[Question, str]] = []
    for question, dataset in kinds(entry):
        facts = smoke_splits(entry.section, dataset).facts
        if all(facts != smoke_splits(entry.section, other).facts for _, other in found):
            found.append((question, dataset))
        if len(found) == 2:
            break
    return found
