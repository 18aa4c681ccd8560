"""Which jobs a bench is made of: methods, their variants and options, data sets, seeds."""

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

    Raises CourseError when a name is unknown, or no method has the options.
    """
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
    if not jobs:
        raise CourseError(
            f"No chosen method has the options {', '.join(sorted(names))}. "
            "`course methods --json` lists methods; their files list options."
            if names
            else "No chosen method belongs to a chosen task."
        )
    return jobs


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
    """`name=value` words as options; values are read as YAML, so numbers are numbers."""
    import yaml

    return {name: yaml.safe_load(value) for name, value in map(_split, pairs)}


def swept(pairs: Sequence[str]) -> list[dict[str, Any]]:
    """`name=value,value` words as all combinations of their values.

    >>> swept(["loss=focal,ce", "width=16"])
    [{'loss': 'focal', 'width': 16}, {'loss': 'ce', 'width': 16}]
    >>> swept(["widths=[8, 16],[16, 32]"])
    [{'widths': [8, 16]}, {'widths': [16, 32]}]
    """
    import yaml

    values = {name: yaml.safe_load(f"[{value}]") for name, value in map(_split, pairs)}
    return [dict(zip(values, row, strict=True)) for row in product(*values.values())]


def _split(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name or not value:
        raise CourseError(f"--option takes NAME=VALUE, but got {pair!r}.")
    return name, value
