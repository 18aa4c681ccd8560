"""Does a question keep its contract: are its cases what its `fields` say?"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from course_lib.benchmark.checks import demand
from course_lib.cases import Batch
from course_lib.tasks.base import PARTS, Field, Question, Splits


def keeps_its_contract(question: Question, splits: Splits, batch: Batch) -> None:
    """The cases and a training batch hold the question's fields, with their shapes and kinds of
    number, and no others; the facts are those that it names."""
    demand(
        set(splits.facts) == set(question.facts),
        f"facts {set(splits.facts)} instead of {set(question.facts)}",
    )
    for part in PARTS:
        cases = getattr(splits, part)
        demand(cases.facts == splits.facts, f"{part} has other facts")
        _compare(part, cases.tensors, question.fields)
    _compare("batch", batch, question.fields)


def _compare(where: str, tensors: Mapping[str, Tensor], fields: Mapping[str, Field]) -> None:
    wanted = {name for name, about in fields.items() if where in about.where}
    demand(set(tensors) == wanted, f"{where}: {sorted(set(tensors) ^ wanted)} missing or unnamed")
    sides: dict[str, Any] = {}
    for name in sorted(wanted):
        value, about = tensors[name], fields[name]
        kind = str(value.dtype).removeprefix("torch.")
        demand(kind == about.dtype, f"{where}: {name} is {kind}, not {about.dtype}")
        fault = _mismatch(list(value.shape), about.shape.split(), sides)
        demand(not fault, f"{where}: {name} is {list(value.shape)}, not {about.shape} ({fault})")


def _mismatch(shape: list[int], names: list[str], sides: dict[str, Any]) -> str | None:
    """What of a shape does not fit its names; learns the sides that it meets first."""
    star = next((k for k, name in enumerate(names) if name.startswith("*")), None)
    if star is not None:
        count = len(shape) - len(names) + 1
        if count < 1:
            return "too few axes"
        shape = [*shape[:star], tuple(shape[star : star + count]), *shape[star + count :]]
    if len(shape) != len(names):
        return "another number of axes"
    for side, name in zip(shape, names, strict=True):
        known = int(name) if name.isdigit() else sides.setdefault(name, side)
        if side != known:
            return f"{name} is {known}"
    return None
