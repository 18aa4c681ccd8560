"""How far jobs are, and how long the rest will take."""

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from course_lib.benchmark.job import Job
from course_lib.benchmark.store import Store
from course_lib.files import PACKAGE

Kind = tuple[str, str, str]
Seconds = dict[Kind, list[float]]
FILE, EVERY_S = "progress.json", 0.3
PACE_S = 2.0  # of training tell how long the rest takes
AROUND_S = 4.0  # of a job, beside its training: a kernel, its imports, its data
SHIPPED = "class"  # the profile that the shipped leaderboards were measured in


def kind(job: Job) -> Kind:
    """What a job's time depends on: its task, its method, its profile."""
    return job.task, job.method, job.profile


def known_seconds(store: Store) -> Seconds:
    """How long the store's jobs took."""
    known: Seconds = {}
    for record in store.records():
        if record["status"] == "done":
            known.setdefault(kind(Job(**record["job"])), []).append(record["wall_s"]["total"])
    return known


@lru_cache(maxsize=1)
def shipped_seconds() -> dict[Kind, float]:
    """How long the jobs behind the lessons' leaderboards took, on another machine."""
    found: Seconds = {}
    for file in sorted((PACKAGE / "lesson" / "leaderboards").glob("*.json")):
        for section in json.loads(file.read_text("utf-8"))["sections"]:
            for row in section["boards"][0]["rows"]:
                if row.get("fit_s") is not None and section["profile"] == SHIPPED:
                    took = row["fit_s"] + row["predict_s_per_case"] * row["cases"] + AROUND_S
                    name = section["task"], row["method"], SHIPPED
                    found.setdefault(name, []).append(took)
    return {name: fmean(values) for name, values in found.items()}


def expected_seconds(jobs: Iterable[Job], known: Seconds) -> float | None:
    """The expected seconds of all jobs together, or None where of some nothing is known.

    A job takes what its method took before; else what it took for the shipped leaderboards, as
    much faster or slower as this machine is; else the mean of what is known.
    """
    times_of = measured(known)
    typical = fmean(map(fmean, known.values())) if known else None
    times = [times_of.get(kind(job), typical) for job in jobs]
    return None if None in times else sum(filter(None, times))


def measured(known: Seconds) -> dict[Kind, float]:
    """How long jobs take of kinds that were measured, here or for the shipped leaderboards."""
    means = {name: fmean(values) for name, values in known.items()}
    shipped = shipped_seconds()
    both = [name for name in means if name in shipped]
    pace = sum(means[n] for n in both) / sum(shipped[n] for n in both) if both else 1.0
    return {name: seconds * pace for name, seconds in shipped.items()} | means


def pulse(job: Job, folder: Path) -> Callable[[int, int], None]:
    """What a training calls after each step: now and then it leaves in the folder how far it is."""
    begin = last = 0.0
    before = 0

    def tell(done: int, of: int) -> None:
        nonlocal begin, last, before
        now = time.monotonic()
        if not begin:  # what came before the first call, which may take long, sets no pace
            begin, before = now, done
        if now - last >= EVERY_S:
            last = now
            sure = done > before and now - begin > PACE_S
            step_s = (now - begin) / (done - before) if sure else None
            said = {"job": str(job), "done": done, "of": of, "step_s": step_s}
            with suppress(OSError):  # no reason to lose a training
                (folder / FILE).write_text(json.dumps(said), "utf-8")

    return tell


class At(NamedTuple):
    """Where a training stands: steps done, all steps, and seconds a step where that is known."""

    done: int
    of: int
    step_s: float | None


def pulses(store: Store, jobs: Collection[Job]) -> dict[str, At]:
    """Job, as text → where it stands; of those of the jobs that are training now."""
    names, found = {str(job) for job in jobs}, {}
    for file in store.folder.glob(f".partial-*/{FILE}"):
        with suppress(OSError, ValueError, TypeError, KeyError):  # being written, or just gone
            said = json.loads(file.read_text("utf-8"))
            at = At(int(said["done"]), int(said["of"]), said["step_s"])
            sane = 0 <= at.done <= at.of and at.of and 0 <= (at.step_s or 0) < math.inf
            if said["job"] in names and sane:
                found[said["job"]] = at
    return found


def left(jobs: Collection[Job], at: Mapping[str, At], known: Seconds, workers: int) -> str:
    """How far the one job is that runs, and how long all will take, in words."""
    rest = {n: a.step_s * (a.of - a.done) for n, a in at.items() if a.step_s is not None}
    waiting = [job for job in jobs if str(job) not in rest]
    running = list(rest.values())
    seconds = expected_seconds(waiting, known) if waiting else 0.0
    words = []
    if len(jobs) == 1 and at:
        ((done, of, _),) = at.values()
        words.append(f"step {done:,} of {of:,}")
    if seconds is not None and (seconds or running):
        shared = (seconds + sum(running)) / max(1, workers)
        words.append(_duration(max(shared, *running, 0.0)))
    return ", ".join(words)


def _duration(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
