"""The program `course`: data, jobs, benchmarks, reports and lessons from the command line."""

import sys
from collections.abc import Sequence

import click

from course_lib import __version__
from course_lib.benchmark import interrupt
from course_lib.cli import faults

# Command → module and function; a module is imported when its command is called.
COMMANDS = {
    "data": "course_lib.cli.data:data",
    "tasks": "course_lib.cli.tasks:tasks",
    "methods": "course_lib.cli.tasks:methods",
    "check-method": "course_lib.cli.tasks:check_method",
    "run": "course_lib.cli.bench:run",
    "bench": "course_lib.cli.bench:bench",
    "report": "course_lib.cli.report:report",
    "lab": "course_lib.cli.lab:lab",
    "lessons": "course_lib.cli.lab:lessons",
    "build": "course_lib.cli.lessons:build",
    "measure": "course_lib.cli.lessons:measure",
}
SWEEPS = ("run", "bench")  # they obey a signal to stop between two steps, never within one


class Lazy(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        from difflib import get_close_matches
        from importlib import import_module

        if name not in COMMANDS:
            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            ctx.fail(f"No such command {name!r}. {hint}There are: {', '.join(COMMANDS)}.")
        module, function = COMMANDS[name].split(":")
        return getattr(import_module(module), function)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is about to run."""
        if args[0] in SWEEPS:
            ctx.with_resource(interrupt.held())
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def course() -> None:
    """Deep learning in medical imaging: lessons and benchmark.

    Start with `course data list`, run one job with `course run denoising red_cnn --profile smoke`,
    or everything with `make report`.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Runs the program with `words`, by default those of the command line, and ends Python.

    Errors that a person can mend are printed without a traceback.
    """
    sys.exit(faults.status(lambda: course(args=words, standalone_mode=False)))
