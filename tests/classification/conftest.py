"""The smallest cases of classification."""

import pytest


@pytest.fixture
def cases(splits):
    return splits("classification")
