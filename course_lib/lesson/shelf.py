"""What lessons keep in a file of their own name: exercises and questions."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


def names(package: ModuleType) -> list[str]:
    """The names of the lessons that have a file in `package`."""
    return sorted(module.name for module in iter_modules(package.__path__))


def load(package: ModuleType, lesson: str) -> Any:
    """The file of that lesson, or None if it has none."""
    if lesson not in names(package):
        return None
    return import_module(f"{package.__name__}.{lesson}")
