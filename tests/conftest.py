"""What all tests share."""

import pytest
import torch

from tests.cases import smoke_splits

torch.set_num_threads(1)


@pytest.fixture
def splits():
    """The function that gives a section's smallest cases."""
    return smoke_splits
