"""Whether a value may stand for a method's option: of the kind of its default, and possible."""

import math
from collections.abc import Sequence
from typing import Any

MOST = 100_000  # layers, channels, steps: no network of the course has more


def fault(value: Any, default: Any, own: bool) -> str | None:
    """What is wrong with a value for an option with this default; None when nothing is.

    Arguments:
        own: the method is the course's own. None of its options has a meaning below 0, and what is
            counted from 1 none at 0. Of other people's methods this is not known.
    """
    if default is None:
        return None if _plain(value) else "is no number, word or list"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "is neither true nor false"
    if isinstance(default, int | float):
        return _number_fault(value, default, own)
    if isinstance(default, str):
        return None if isinstance(value, str) and value else "is no word"
    if isinstance(default, list | tuple):
        return _list_fault(value, default, own)
    return None


def _number_fault(value: Any, default: float, own: bool) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is no number"
    if not math.isfinite(value):
        return "is not finite"
    if isinstance(default, int) and not isinstance(value, int):
        return "is no whole number"
    if own and value < 0:
        return "is below 0"
    if own and isinstance(default, int) and default > 0 and not 1 <= value <= MOST:
        return f"is not from 1 to {MOST:,}"
    return None


def _list_fault(value: Any, default: Sequence[Any], own: bool) -> str | None:
    if not isinstance(value, list | tuple):
        return "is no list"
    if default and not value:
        return "is empty"
    found = (fault(item, default[0], own) for item in value) if default else ()
    return next((f"holds what {wrong}" for wrong in found if wrong), None)


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)
