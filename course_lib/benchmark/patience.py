"""How long a job may take before it is taken for one that hangs."""

import time
from collections.abc import Mapping

from course_lib.benchmark import clock
from course_lib.benchmark.job import Job

FAR, AT_LEAST_S, UNKNOWN_S = 20, 3600.0, 24 * 3600.0


class Patience:
    """Says of a job that runs whether, and why, it shall be stopped.

    Unless somebody sets a limit, a job may take its time as long as its training goes on: it is
    stopped when no step was done in 20 times what is expected of the whole job, never within an
    hour, and after a day where nothing is known.
    """

    def __init__(self, minutes: float | None, known: clock.Seconds) -> None:
        """
        Arguments:
            minutes: what a whole job may take.
            known: how long jobs took.
        """
        self._minutes, self._known = minutes, known
        self._steps: dict[str, tuple[int, float]] = {}  # job → steps done, and when that was seen

    def over(self, job: Job, seconds: float, at: Mapping[str, clock.At]) -> str | None:
        """Why the job shall be stopped that has run for so long, or None.

        Arguments:
            at: where trainings stand.
        """
        if self._minutes is not None:
            if seconds <= self._minutes * 60:
                return None
            return f"it was stopped after {self._minutes:g} minutes, the --limit."
        now, done = time.monotonic(), at[str(job)].done if str(job) in at else -1
        before, since = self._steps.get(str(job), (-1, now - seconds))
        if done != before:
            since = now
        self._steps[str(job)] = done, since
        expected = clock.measured(self._known).get(clock.kind(job))
        limit = UNKNOWN_S if expected is None else max(AT_LEAST_S, FAR * expected)
        if now - since <= limit:
            return None
        about = "" if expected is None else f", and about {expected:.0f} s are expected of it all"
        return (
            f"it was stopped, because it had done no step for {limit / 60:.0f} minutes{about}. If "
            "it needs longer, say so with --limit MINUTES."
        )

    def forget(self, job: Job) -> None:
        """The job has ended; it may run again."""
        self._steps.pop(str(job), None)
