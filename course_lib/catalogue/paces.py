"""How many steps a method gets: the plan's seconds, divided by its measured pace.

`paces.json` holds what `benchmarks/paces.py` measured on one core of the reference machine: profile
→ `section/data set` → method (or `method: variant`) → seconds of a step, and of one look at
validation. A pace is a fixed number, and so are the steps: on every machine a training is the same.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib import catalogue

if TYPE_CHECKING:
    from course_lib.tasks.base import Plan

FILE = Path(__file__).with_name("paces.json")
LOOKING = 0.1
"""The share of the seconds of training that looking at validation may take."""


@cache
def table() -> dict[str, Any]:
    """All that was measured."""
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


def name(method: str, options: Mapping[str, Any]) -> str:
    """What a method with these options is called in the table: by its variant, if it is one."""
    for variant, given in catalogue.entry(method).variants.items():
        if options and dict(given) == dict(options):
            return f"{method}: {variant}"
    return method


def plan(
    section: str, dataset: str, method: str, profile: str, options: Mapping[str, Any] | None = None
) -> "Plan":
    """The plan of one method: as many steps as fit into the question's seconds, to two digits, and
    as many looks at validation as fit into a tenth of them.

    Options that are no variant change nothing: steps are those of the method as it is. Without a
    measured pace, or where the profile says the steps (`class@1400`), it is the question's plan.
    """
    base, mark, _ = profile.partition("@")
    found = catalogue.question(section, dataset).plan(profile)
    measured = table().get(base, {}).get(f"{section}/{dataset}", {})
    pace = measured.get(name(method, options or {})) or measured.get(method)
    if mark or pace is None or found.seconds is None:
        return found
    step, look = pace
    looks = int(LOOKING * found.seconds / look) if look else found.evaluations
    return replace(
        found,
        steps=two_digits(found.seconds / step),
        evaluations=max(1, min(found.evaluations, looks)),
    )


def two_digits(number: float) -> int:
    """A number of steps, rounded to two digits; at least one.

    >>> two_digits(1467.3), two_digits(12.6), two_digits(0.2)
    (1500, 13, 1)
    """
    return max(1, int(float(f"{number:.1e}"))) if number >= 10 else max(1, round(number))
