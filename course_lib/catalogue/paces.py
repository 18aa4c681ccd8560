"""How many steps a method gets: the plan's seconds, divided by its measured pace.

`paces.json` holds what `benchmarks/paces.py` measured on one core of the reference machine: profile
→ `section/family of data sets` → method (or `method: variant`) → seconds of a step, and of one look
at validation. A pace is a fixed number, and so are the steps: on every machine a training is the
same.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib import catalogue
from course_lib.cases import is_own

if TYPE_CHECKING:
    from course_lib.tasks.base import Plan

FILE = Path(__file__).with_name("paces.json")
LOOKING = 0.1
"""The share of the seconds of training that looking at validation may take."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "denoising": ("*",),
    "super_resolution": ("*/thick_*", "*_x3", "*_x2", "*_x4", "*_x6"),
    "reconstruction_ct": ("*/30_views", "*/60_views", "*/15_views", "*/120_degrees"),
    "reconstruction_mr": ("*",),
    "augmentation": ("malignancy", "anomaly"),
    "translation": ("mr_to_ct/*", "t1_to_t2/*", "hippocampus_t1t2"),
    "registration": ("brain_2d/*", "brain_3d/*", "brain_t1_t2/*", "chest_drr/*"),
    "segmentation": ("brain_tissue", "brain_3d", "chest_organs", "lung_tumours/*"),
    "classification": ("nodules/*",),
    "detection": ("*/nodules", "series/*"),
    "frontier": ("scanner_shift/*", "explanations/*", "weak_labels/*"),
}
"""Section → data sets whose cases are of the same size, so that a step takes as long: the first
pattern that a name matches is its family. One data set of each family is measured."""


@cache
def table() -> dict[str, Any]:
    """All that was measured."""
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


def family(section: str, dataset: str) -> str | None:
    """The table's name of a data set's family; None for the user's own."""
    if is_own(dataset):
        return None
    found = (kind for kind in FAMILIES.get(section, ()) if fnmatchcase(dataset, kind))
    return next((f"{section}/{kind}" for kind in found), None)


def name(method: str, options: Mapping[str, Any]) -> str:
    """What a method with these options is called in the table: by its variant, if it is one."""
    for variant, given in catalogue.entry(method).variants.items():
        if options and dict(given) == dict(options):
            return f"{method}: {variant}"
    return method


def pace(
    section: str, dataset: str, method: str, profile: str, options: Mapping[str, Any] | None = None
) -> tuple[float, float] | None:
    """Seconds of a step, and of a look at validation; None where they were not measured.

    Options that are no variant change nothing. A profile without an entry of its own has the pace
    of the profile whose cases it shares.
    """
    from course_lib.tasks.base import base_profile

    kind, called = family(section, dataset), name(method, options or {})
    for known in (profile, base_profile(profile)):
        measured = table().get(known, {}).get(kind, {})
        if found := measured.get(called) or measured.get(method):
            return tuple(found)
    return None


def plan(
    section: str, dataset: str, method: str, profile: str, options: Mapping[str, Any] | None = None
) -> "Plan":
    """The plan of one method: as many steps as fit into the question's seconds, to two digits, and
    as many looks at validation as fit into a tenth of them.

    Where no pace is known, or the profile says the steps (`class@1400`), it is the question's plan.
    """
    found = catalogue.question(section, dataset).plan(profile)
    known = pace(section, dataset, method, profile, options)
    if "@" in profile or known is None or found.seconds is None:
        return found
    step, look = known
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
