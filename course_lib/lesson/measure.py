"""Measures what a lesson costs: minutes, memory and its slowest cell, in a fresh kernel."""

import json
import os
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.files import atomic
from course_lib.lesson.build import MEASURED, Lesson, measured
from course_lib.lesson.source import code_sha, read

# `ru_maxrss` counts KiB on Linux and bytes on macOS; Windows has no `resource`.
PEAK = """\
import sys

try:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / 2**20 if sys.platform == "darwin" else peak / 2**10
except ImportError:
    import psutil

    peak_mb = psutil.Process().memory_info().peak_wset / 2**20
print(f"{peak_mb:.0f}")
"""


def measure(lesson: Lesson, profile: str = "class", keep: Path | None = None) -> dict:
    """Runs the complete notebook in a fresh kernel with an empty store; returns what it cost.

    Keys: `seconds` (all cells, without the kernel's start), `slowest_cell_s`, `peak_memory_mb`
    (of the kernel), `date`, `python`, `cores`, `profile`, `code` (hash of the code measured).
    Data sets must already be fetched: downloads would measure the network. The notebook that was
    run goes to the folder `keep`, also when it stopped.
    """
    import nbformat
    import papermill

    notebook = nbformat.read(lesson.complete, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    with tempfile.TemporaryDirectory() as folder:
        given, run = Path(folder) / "given.ipynb", Path(folder) / "run.ipynb"
        nbformat.write(notebook, given)
        names = {parameter for parameter in papermill.inspect_notebook(str(given))}
        values = {"profile": profile, "store": str(Path(folder) / "runs")}
        try:
            done = papermill.execute_notebook(
                str(given),
                str(run),
                parameters={name: value for name, value in values.items() if name in names},
                cwd=lesson.root,
                progress_bar=False,
                extra_arguments=["--log-level=CRITICAL"],  # no word on its transport
            )
        except papermill.PapermillExecutionError as error:
            raise CourseError(
                f"{lesson.name} stopped with {error.ename}: {error.evalue}. Open "
                f"{lesson.complete} in JupyterLab (`make lab`) to see which cell it was."
            ) from error
        finally:
            if keep and run.exists():
                target = keep / f"{lesson.name}.ipynb"
                with atomic(target) as temporary:
                    shutil.copyfile(run, temporary)
    seconds = [cell.metadata.papermill.get("duration") or 0.0 for cell in done.cells]
    return {
        "seconds": round(sum(seconds), 1),
        "slowest_cell_s": round(max(seconds), 1),
        "peak_memory_mb": int(done.cells[-1].outputs[0].text),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": cores(),
        "profile": profile,
        "code": code_sha(read(lesson.source)),
    }


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def record(lesson: Lesson, keep: Path | None = None) -> dict:
    """Measures a lesson and writes the result into `solutions/measured.json`."""
    result = measure(lesson, keep=keep)
    results = measured(lesson.root) | {lesson.name: result}
    with atomic(lesson.root / MEASURED) as temporary:
        temporary.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return result
