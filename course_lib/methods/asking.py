"""Asking a method about cases whose answers it does not get to see."""

from typing import Any

import torch

from course_lib import device as devices
from course_lib.cases import Cases
from course_lib.errors import CourseError
from course_lib.methods.base import Classical, Method


def ask(method: Method | Classical, cases: Cases, batch: int = 4) -> tuple[Any, frozenset[str]]:
    """What `predict` returns, and which of the cases' privileged tensors the method asked for."""
    if not hasattr(method, "facts"):
        method.fresh(cases.facts, cases.device)
    if differing := method.facts.unlike(cases.facts):
        raise CourseError(
            f"{type(method).__name__} was made for a data set of other facts than these cases have "
            f"({differing}). Train it on their data set, or make it new with `method.fresh(facts)`."
        )
    given: frozenset[str] = frozenset()
    while True:
        try:
            return _answers(method, cases, batch, cases.answers | (cases.privileged - given)), given
        except KeyError as error:
            name = error.args[0] if error.args else None
            if name in cases.answers:
                readable = ", ".join(sorted(set(cases.tensors) - cases.answers))
                raise CourseError(
                    f"{type(method).__name__} reads {name!r} in `predict`, which is an answer: "
                    f"those are for `losses`, `terms` and `prepare`. It may read: {readable}."
                ) from error
            if name not in cases.privileged - given:
                raise
            given |= {name}


def _answers(method: Method | Classical, cases: Cases, batch: int, hidden: frozenset[str]) -> Any:
    if isinstance(method, Method):
        method.eval()
    shown = {name: value for name, value in cases.tensors.items() if name not in hidden}
    with torch.no_grad(), devices.memory_advice():
        parts = [
            method.predict({name: value[start : start + batch] for name, value in shown.items()})
            for start in range(0, len(cases), batch)
        ]
    if isinstance(parts[0], dict):
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return torch.cat(parts)
