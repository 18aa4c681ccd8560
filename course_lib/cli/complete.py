"""What the Tab key offers: tasks, methods and data sets, of the task that is already named."""

import click
from click.shell_completion import CompletionItem

from course_lib import catalogue
from course_lib.errors import CourseError


def tasks(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tasks that begin so."""
    return [
        CompletionItem(name, help=catalogue.section(name).title)
        for name in catalogue.SECTIONS
        if name.startswith(begun)
    ]


def methods(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Methods that begin so, of the tasks that were named before."""
    return [
        CompletionItem(each.id, help=each.name)
        for name in _named(context)
        for each in catalogue.methods(name)
        if each.id.startswith(begun)
    ]


def datasets(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Data sets that begin so, of the tasks that were named before."""
    found = dict.fromkeys(data for name in _named(context) for data in catalogue.datasets(name))
    return [CompletionItem(name) for name in found if name.startswith(begun)]


def fetched(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Data sets of the registry that begin so."""
    from course_lib.data import registry

    return [
        CompletionItem(each.name, help=each.title)
        for each in registry.data_sets().values()
        if each.name.startswith(begun)
    ]


def _named(context: click.Context) -> list[str]:
    """The tasks that the command line names so far; all when it names none that there is."""
    given = context.params.get("task") or context.params.get("task_id")
    names = [given] if given else list(context.params.get("task_ids") or ())
    try:
        return [catalogue.section(name).id for name in names] or list(catalogue.SECTIONS)
    except CourseError:
        return list(catalogue.SECTIONS)
