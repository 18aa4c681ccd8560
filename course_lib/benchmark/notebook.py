"""A job as papermill runs it: the cells of its chapter's notebook, in a kernel of its own."""

import json
import os
import re
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from course_lib import catalogue
from course_lib.benchmark import ends
from course_lib.benchmark.identity import job_cells
from course_lib.benchmark.job import NOTE, Job
from course_lib.threads import environment


def run_notebook(job: Job, folder: Path, fork: bool, aloud: bool) -> dict[str, str] | None:
    """Executes the chapter's job cells with the job's parameters; returns the error, if any.

    Arguments:
        fork: take a kernel that is forked.
        aloud: what the job says of the user's data is told at once.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from course_lib.benchmark.kernel import ForkedKernels

    source = nbformat.v4.new_notebook(
        cells=[nbformat.from_dict(c) for c in job_cells(catalogue.section(job.task).lesson)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    template, result = folder / "template.ipynb", folder / "notebook.ipynb"
    nbformat.write(source, template)
    parameters = {name: value for name, value in asdict(job).items() if name != "threads"} | {
        "options": json.dumps(job.options),
        "folder": str(folder.resolve()),
    }
    os.environ.update(environment(job.threads))  # the kernel's
    try:
        papermill.execute_notebook(
            _literal(template),
            _literal(result),
            parameters=parameters,
            progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
            stdout_file=_Notes() if aloud else None,
            **({"kernel_manager_class": ForkedKernels} if fork else {}),
        )
    except PapermillExecutionError as error:
        plain = re.compile(r"\x1b\[[0-9;]*m")
        said = ends.told(error.ename, plain.sub("", error.evalue))
        return said | {"traceback": plain.sub("", "\n".join(error.traceback))}
    except Exception as error:  # a kernel that died, for example for lack of memory
        said = ends.told(type(error).__name__, str(error))
        return said | {"traceback": traceback.format_exc()}
    finally:
        template.unlink(missing_ok=True)
    return None


def _literal(path: Path) -> str:
    """A path as papermill takes it, which fills braces with parameters and takes what begins like
    an address for one."""
    return str(path.resolve()).replace("{", "{{").replace("}", "}}")


class _Notes:
    """Hands on what a running job says of the user's data; the rest stays in its notebook."""

    def write(self, text: str) -> None:
        """Tells the lines that are notes."""
        for line in text.splitlines():
            if line.startswith(NOTE):
                print(f"\r{line}", file=sys.stderr)

    def flush(self) -> None:
        """Makes them seen at once."""
        sys.stderr.flush()
