"""Series of visits for several tests."""

import pytest

from course_lib.tasks.detection import growth


@pytest.fixture
def series(splits):
    """The smallest cases."""
    return splits("detection", "series/irregular")


@pytest.fixture(scope="session")
def training_series():
    """Of profile class: 480 series of training patients."""
    return growth.make("series/irregular", "class", 0).train
