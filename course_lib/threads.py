"""How many threads of the processor compute.

Sums over another number of threads end in other last digits, and a training makes other weights of
them: so a job says how many it takes, one unless it is told otherwise.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from course_lib.errors import CourseError

MOST = 1024
VARIABLE = "COURSE_THREADS"
OF_LIBRARIES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
"""Where libraries look when they are loaded."""


def cores() -> int:
    """The cores that this process may use; in a container or a batch job often not all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def asked() -> int:
    """The threads of a job that nothing else is said of: `$COURSE_THREADS`, else 1.

    Raises CourseError when that is no such number.
    """
    said = os.environ.get(VARIABLE, "").strip() or "1"
    if not said.isdecimal() or not 1 <= int(said) <= MOST:
        raise CourseError(f"{VARIABLE}={said} says no number of threads. Expected: 1 to {MOST}.")
    return int(said)


def environment(count: int) -> dict[str, str]:
    """The environment of a process that computes one job."""
    numba = {"NUMBA_NUM_THREADS": str(count)}  # it forbids another number once it has started
    return {VARIABLE: str(count)} | dict.fromkeys(OF_LIBRARIES, str(count)) | numba


@contextmanager
def limited(count: int) -> Iterator[None]:
    """Inside, torch and the libraries of linear algebra, those that are loaded and those loaded
    later, compute with `count` threads; outside, nothing has changed."""
    import torch
    from threadpoolctl import threadpool_limits

    torch_had, had = torch.get_num_threads(), {name: os.environ.get(name) for name in OF_LIBRARIES}
    os.environ.update(dict.fromkeys(OF_LIBRARIES, str(count)))
    itk = getattr(sys.modules.get("SimpleITK"), "ProcessObject", None)
    itk_had = itk.GetGlobalDefaultNumberOfThreads() if itk else 0
    try:
        with threadpool_limits(count):
            torch.set_num_threads(count)
            if itk:
                itk.SetGlobalDefaultNumberOfThreads(count)
            yield
    finally:
        torch.set_num_threads(torch_had)
        if itk:
            itk.SetGlobalDefaultNumberOfThreads(itk_had)
        for name, value in had.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
