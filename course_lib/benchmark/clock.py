"""How far jobs are, and how long the rest will take."""

import json
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean

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
    means = {name: fmean(values) for name, values in known.items()}
    shipped = shipped_seconds()
    both = [name for name in means if name in shipped]
    pace = sum(means[n] for n in both) / sum(shipped[n] for n in both) if both else 1.0
    typical = fmean(means.values()) if means else None
    total = 0.0
    for job in jobs:
        name = kind(job)
        found = means.get(name, shipped[name] * pace if name in shipped else typical)
        if found is None:
            return None
        total += found
    return total


def pulse(job: Job, folder: Path) -> Callable[[int, int], None]:
    """What a training calls after each step: now and then it leaves in the folder how far it is."""
    begin = last = 0.0

    def tell(done: int, of: int) -> None:
        nonlocal begin, last
        now = time.monotonic()
        begin = begin or now  # the first step, which may take long, is over
        if now - last >= EVERY_S:
            last = now
            said = {"job": str(job), "done": done, "of": of, "seconds": now - begin}
            with suppress(OSError):  # no reason to lose a training
                (folder / FILE).write_text(json.dumps(said), "utf-8")

    return tell


def pulses(store: Store, jobs: Collection[Job]) -> dict[str, tuple[int, int, float]]:
    """Job, as text → steps done, all steps, and the seconds since its training began; of those of
    the jobs that are training now."""
    names, found = {str(job) for job in jobs}, {}
    for file in store.folder.glob(f".partial-*/{FILE}"):
        try:
            said = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):  # being written, or just gone
            continue
        if said["job"] in names:
            found[said["job"]] = (said["done"], said["of"], said["seconds"])
    return found


def left(
    jobs: Collection[Job], at: dict[str, tuple[int, int, float]], known: Seconds, workers: int
) -> str:
    """How far the one job is that runs, and how long all will take, in words."""
    paced = {name: now for name, now in at.items() if now[2] > PACE_S}
    waiting = [job for job in jobs if str(job) not in paced]
    running = [seconds * (of - done) / (done - 1) for done, of, seconds in paced.values()]
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
