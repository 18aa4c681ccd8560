"""What all tests share."""

from functools import lru_cache

import pytest
import torch

from course_lib import catalogue
from course_lib.tasks.base import Splits

torch.set_num_threads(1)


@lru_cache(maxsize=2)
def smoke_splits(task: str, dataset: str | None = None) -> Splits:
    """A task's cases in profile smoke, made once; by default of its first data set."""
    found = catalogue.task(task)
    return found.make(dataset or next(iter(found.sources)), "smoke", 0)


@pytest.fixture
def splits():
    """The function that gives a task's smallest cases."""
    return smoke_splits
