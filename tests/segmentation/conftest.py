"""The smallest cases of segmentation."""

import pytest
import torch

from course_lib.tasks.segmentation import structures


@pytest.fixture
def cases(splits):
    return splits("segmentation")


@pytest.fixture
def piece(cases):
    return structures.sample(cases.train, "smoke", 2, torch.Generator().manual_seed(0))
