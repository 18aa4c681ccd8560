"""How many steps of training fit into the minutes that somebody has."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from course_lib import catalogue
from course_lib.benchmark.job import Job

if TYPE_CHECKING:
    from course_lib.tasks.base import Splits

TRIAL_STEPS, LONGER_TRIAL, SHORT_S = 4, 16, 2.0


def learns(method: str) -> bool:
    """Whether a method is trained."""
    from course_lib.methods.base import Method

    return issubclass(catalogue.method_class(method), Method)


def steps_in(minutes: float, jobs: Sequence[Job], threads: int | None = None) -> int | None:
    """The steps that the slowest of some jobs of one question can do in `minutes`, evaluations on
    validation cases counted; to two digits, at least one. None where no method learns.

    Arguments:
        jobs: of the same task, data set and profile; each trains a few steps for trial.
        threads: of the processor, as many as a job will have.
    """
    import torch

    from course_lib import device as devices

    learners = [job for job in jobs if learns(job.method)]
    if not learners:
        return None
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        first = learners[0]
        splits = first.question.make(first.dataset, first.profile, first.seed)
        splits = splits.to(devices.choose())
        found = min(_steps(job, splits, minutes * 60) for job in learners)
    finally:
        torch.set_num_threads(before)
    unit = 10 ** max(0, len(str(found)) - 2)
    return max(1, found // unit * unit)


def _steps(job: Job, splits: "Splits", seconds: float) -> int:
    """How many steps one job can do, by a trial of few steps, and of more where those are short."""
    from course_lib.fit import fit

    question, steps = job.question, TRIAL_STEPS
    while True:
        plan = replace(job.plan, steps=steps, evaluations=1)
        method = catalogue.build(job.method, **job.built_with)
        begin = time.perf_counter()
        history = fit(
            method, question, splits, profile=job.profile, seed=job.seed, plan=plan, progress=False
        )
        each = history.seconds / history.steps
        looks = (time.perf_counter() - begin - history.seconds) * (
            getattr(method, "evaluations", None) or job.plan.evaluations
        )
        if steps == LONGER_TRIAL or history.seconds > SHORT_S:
            return max(1, int((seconds - looks) / each))
        steps = LONGER_TRIAL
