"""What the frontier's tests share."""

import pytest

from tests.cases import smoke_splits


@pytest.fixture
def cases():
    """The function that gives the smallest cases of a data set."""
    return lambda dataset: smoke_splits("frontier", dataset)
