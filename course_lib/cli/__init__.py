"""The program `course`: data, jobs, benchmarks, reports and lessons from the command line."""

import sys

import click

from course_lib import __version__
from course_lib.benchmark import interrupt
from course_lib.errors import CourseError

# Command → module and function; a module is imported when its command is called.
COMMANDS = {
    "data": "course_lib.cli.data:data",
    "tasks": "course_lib.cli.tasks:tasks",
    "methods": "course_lib.cli.tasks:methods",
    "check-method": "course_lib.cli.tasks:check_method",
    "run": "course_lib.cli.bench:run",
    "bench": "course_lib.cli.bench:bench",
    "report": "course_lib.cli.report:report",
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
        from importlib import import_module

        if name not in COMMANDS:
            return None
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


def main() -> None:
    """Runs the program; errors that a person can mend are printed without a traceback."""
    try:
        sys.exit(course(standalone_mode=False))
    except CourseError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        click.echo("Interrupted. What was finished is kept; the same command goes on.", err=True)
        sys.exit(getattr(stop.__cause__, "exit_code", 130))
