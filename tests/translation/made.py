"""What the tests of methods share: a method with fixed first weights, and a training batch."""

import torch

from course_lib import device
from course_lib.tasks.translation import pairs


def batch_of(splits, count=2, seed=0):
    return pairs.sample(splits.train, "smoke", count, torch.Generator().manual_seed(seed))


def made(kind, splits, **options):
    with device.seeded(0):
        return kind(**options).fresh(splits.facts)
