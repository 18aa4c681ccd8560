"""The pace of every method that learns, on one core: what turns a plan's seconds into steps.

    python benchmarks/paces.py [SECTION or METHOD …] [--profile class|long] [--variants]

Each method trains a few steps on cases of the profile's size; the processor time of a step is the
median within each of its stages, weighted by the stages' shares, without each stage's first step. A
look at validation is the time of one evaluation. Both go into `course_lib/catalogue/paces.json`,
after each method, so that a run that was stopped leaves what it found. `long` is measured only of
methods that have options of their own there.
"""

import argparse
import json
import os
import re
import statistics
import time
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from course_lib import catalogue
from course_lib import device as devices
from course_lib.benchmark.pace import learns
from course_lib.catalogue import paces
from course_lib.fit import fit
from course_lib.tasks.base import Plan

STAGE_STEPS, MOST_STEPS = 6, 60


def timed(entry: catalogue.Entry, options: dict, question, splits, profile: str) -> list[float]:
    """Seconds of processor time of one step, and of one look at validation."""
    method = catalogue.build(entry.id, **options)
    stages = {stage.name: stage.share for stage in method.stages}
    whole = sum(stages.values())
    steps = min(MOST_STEPS, round(STAGE_STEPS * whole / min(stages.values())))
    times: dict[str, list[float]] = {}
    last = [time.process_time()]

    def after_step(done: int, of: int) -> None:
        now = time.process_time()
        times.setdefault(method.stage, []).append(now - last[0])
        last[0] = now

    plan = Plan(steps, question.plan(profile).batch, evaluations=1)
    fit(method, question, splits, profile=profile, seed=0, plan=plan, progress=after_step)
    look = time.process_time() - last[0]
    step = sum(
        stages[name] / whole * statistics.median(found[1:] or found)
        for name, found in times.items()
    )
    return [float(f"{step:.3g}"), float(f"{look:.2g}")]


def work(given: argparse.Namespace) -> Iterator[tuple[str, str, catalogue.Entry, str, dict]]:
    """(section, data set, method, its name in the table, options): what is to be measured."""
    for section in paces.FAMILIES:
        for entry in catalogue.methods(section):
            if entry.file or not {section, entry.id} & set(given.only or [section]):
                continue
            fitting = [d for d in catalogue.datasets(section) if catalogue.fits(entry, d)]
            of_kinds = [paces.family(section, d) for d in fitting]
            own = entry.options_in(given.profile)
            if not learns(entry.id) or (given.profile == "long" and not own):
                continue
            for nth, kind in enumerate(dict.fromkeys(of_kinds)):
                dataset = fitting[of_kinds.index(kind)]
                yield section, dataset, entry, entry.id, own
                if given.variants and nth == 0:
                    for variant, options in entry.variants.items():
                        yield section, dataset, entry, f"{entry.id}: {variant}", own | {**options}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="sections or methods; all, if none is named")
    parser.add_argument("--profile", choices=["class", "long"], default="class")
    parser.add_argument("--variants", action="store_true", help="variants too, on one data set")
    parser.add_argument("--missing", action="store_true", help="only what the table lacks")
    given = parser.parse_args()
    torch.set_num_threads(1)
    table = json.loads(paces.FILE.read_text("utf-8")) if paces.FILE.exists() else {}
    table["machine"] = f"one core of {devices.processor_name()}, torch {torch.__version__}"
    at, splits = ("", ""), None
    for section, dataset, entry, name, options in sorted(work(given), key=lambda found: found[:2]):
        measured = table.setdefault(given.profile, {}).setdefault(
            paces.family(section, dataset), {}
        )
        if given.missing and name in measured:
            continue
        question = catalogue.question(section, dataset)
        if at != (section, dataset):
            at, splits = (section, dataset), None
            splits = question.make(dataset, given.profile, 0)
        found = timed(entry, options, question, splits, given.profile)
        print(f"{section}/{dataset} {name}: {found[0]} s a step, {found[1]} s a look", flush=True)
        measured[name] = found
        written(table)


def written(table: dict) -> None:
    """Writes the table, a method a line."""
    text = json.dumps(table, indent=1, sort_keys=True)
    paces.FILE.write_text(re.sub(r"\[\s+([\d.e-]+),\s+([\d.e-]+)\s+\]", r"[\1, \2]", text) + "\n")


if __name__ == "__main__":
    main()
