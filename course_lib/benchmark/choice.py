"""Which jobs a bench is made of: methods, their variants and options, data sets, seeds."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from course_lib import catalogue
from course_lib.benchmark.job import Job
from course_lib.catalogue.entry import Entry
from course_lib.errors import CourseError

Options = Mapping[str, Any]


def planned(
    tasks: Iterable[str],
    methods: Sequence[str],
    dataset: str | None,
    without: tuple[str, ...],
    profile: str,
    seeds: int,
    options: Sequence[Options] = ({},),
    variants: bool = False,
) -> list[Job]:
    """The jobs of a bench, seed by seed.

    Arguments:
        methods: only these; empty: all that a task has, and its baselines beside them.
        dataset: one for all; None: for each method the first that it answers.
        without: registry data sets that must not be needed.
        options: each method runs once with each of these; methods that lack one are left out.
        variants: each method's named variants run too.

    Raises CourseError when a name is unknown, no method has the options, a method or a task that
    was named gets no job, or there is no seed.
    """
    if seeds < 1:
        raise CourseError(f"{seeds} seeds are no sweep. Expected: 1 or more.")
    tasks = list(dict.fromkeys(tasks))
    jobs: list[Job] = []
    names = {name for some in options for name in some}
    for task in tasks:
        catalogue.section(task)
        known = [*catalogue.methods(task), *_from_files(methods, task)]
        chosen = [e for e in known if not methods or e.id in methods]
        chosen = [e for e in chosen if names <= set(catalogue.options(e.id) if names else ())]
        pairs = _pairs(task, chosen, known, dataset, without, bool(methods) or bool(names))
        rows = [(method, name, dict(some)) for method, name in pairs for some in options]
        if variants:
            rows += [
                (method, name, dict(variant))
                for method, name in pairs
                for variant in catalogue.entry(method).variants.values()
            ]
        jobs += [
            Job(task, *row[:2], profile, seed, row[2]) for seed in range(seeds) for row in rows
        ]
    if not jobs and names:
        raise CourseError(
            f"No chosen method has the options {', '.join(sorted(names))}. "
            "`course methods --json` lists methods; their files list options."
        )
    if not names:
        _everyone_meets(tasks, methods, dataset, jobs)
    return list({str(job): job for job in jobs}.values())


def _everyone_meets(
    tasks: Sequence[str], methods: Sequence[str], dataset: str | None, jobs: Sequence[Job]
) -> None:
    """Raises CourseError when a method, or a task, has no job at all."""
    on = f" on {dataset}" if dataset else ""
    idle = [name for name in methods if name not in {job.method for job in jobs}]
    if idle:
        entry = catalogue.entry(idle[0])
        why = (
            f"it answers another question{on}"
            if entry.section in tasks
            else f"it is a method for {entry.section}, which was not chosen"
        )
        raise CourseError(
            f"No job for {entry.name}: {why}. `course methods` lists each method's task, `course "
            "tasks` the data sets."
        )
    idle = [task for task in tasks if task not in {job.task for job in jobs}]
    if idle and len(tasks) < len(catalogue.SECTIONS):
        raise CourseError(
            f"No job for {idle[0]}{on}: no chosen method answers it. `course methods --task "
            f"{idle[0]}` lists those that do."
        )


def _from_files(methods: Sequence[str], task: str) -> list[Entry]:
    """The entries of methods given as files, if they answer this task."""
    found = [catalogue.entry(name) for name in methods]
    return [e for e in found if e.file and e.section in ("", task)]


def _pairs(
    task: str,
    chosen: Sequence[Entry],
    known: Sequence[Entry],
    dataset: str | None,
    without: tuple[str, ...],
    alone: bool,
) -> list[tuple[str, str]]:
    """(method, data set) for each chosen method, and unless `alone` the baselines beside them."""
    if dataset:
        return [(e.id, dataset) for e in chosen if not e.section or catalogue.fits(e, dataset)]
    pairs = [(e.id, default_dataset(task, e.id, without)) for e in chosen]
    return pairs if alone else pairs + lacking_baselines(known, pairs)


def default_dataset(task: str, method: str, without: tuple[str, ...] = ()) -> str:
    """The task's first data set that the method answers and that needs none of the registry data
    sets named in `without`.

    Raises CourseError when there is none, or a name is unknown.
    """
    from course_lib.data import registry

    for name in without:
        registry.get(name)
    entry = catalogue.entry(method)
    for dataset, sources in catalogue.datasets(task).items():
        answers = not entry.section or catalogue.fits(entry, dataset)
        if answers and not set(sources) & set(without):
            return dataset
    lacking = f" without {', '.join(without)}" if without else ""
    raise CourseError(f"{task} has no data set for {entry.name}{lacking}.")


def lacking_baselines(
    known: Sequence[Entry], pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """(method, data set): the baselines that answer a data set of `pairs` too, and are not there.
    Without them a learned method would stand on a leaderboard with nothing to compare it to."""
    used = dict.fromkeys(dataset for _, dataset in pairs)
    baselines = [e for e in known if e.baseline]
    wanted = [(e.id, d) for d in used for e in baselines if catalogue.fits(e, d)]
    return [pair for pair in wanted if pair not in pairs]


def single(pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` words as options; values are read as YAML, so numbers are numbers.

    Raises CourseError for what is no number, word or list, and for a name given twice.

    >>> single(["width=8", "rate=1e-3", "loss=focal"])
    {'width': 8, 'rate': 0.001, 'loss': 'focal'}
    """
    return {name: _value(name, value) for name, value in _split(pairs).items()}


def swept(pairs: Sequence[str]) -> list[dict[str, Any]]:
    """`name=value,value` words as all combinations of their values.

    Raises CourseError as `single` does.

    >>> swept(["loss=focal,ce", "width=16"])
    [{'loss': 'focal', 'width': 16}, {'loss': 'ce', 'width': 16}]
    >>> swept(["widths=[8, 16],[16, 32]"])
    [{'widths': [8, 16]}, {'widths': [16, 32]}]
    """
    values = {name: _value(name, f"[{value}]") for name, value in _split(pairs).items()}
    return [dict(zip(values, row, strict=True)) for row in product(*values.values())]


def _split(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name or not value.strip():
            raise CourseError(f"--option takes NAME=VALUE, but got {_cut(pair)!r}.")
        if name in found:
            raise CourseError(f"--option {_cut(name)} was given twice. Give it once.")
        found[name] = value
    return found


def _value(name: str, text: str) -> Any:
    import yaml

    try:
        if re.search(r"\d:\d", text):  # YAML takes 12:30 for 750
            raise ValueError(text)
        value = _numbers(yaml.safe_load(text))
        json.dumps(value, allow_nan=False)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise CourseError(
            f"--option {_cut(name)}={_cut(text)} cannot be read. A value is a finite number, a "
            "word, true, false, null, or a list such as [8, 16]."
        ) from error
    return value


def _numbers(value: Any) -> Any:
    """The same value; words that YAML does not take for the numbers that they are, such as 1e-3,
    are numbers. Raises ValueError for what an option cannot be."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+[eE][+-]?\d+", value):
        return float(value)
    if isinstance(value, int | str | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(value)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
