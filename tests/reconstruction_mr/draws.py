"""Random numbers that the tests of this section share."""

import torch

from course_lib.tasks.reconstruction_mr import few_samples


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def complex_noise(*shape, seed=0):
    return torch.complex(*torch.randn(2, *shape, generator=seeded(seed)))


def batch_of(splits, count=2):
    """A training batch."""
    return few_samples.sample(splits.train, "smoke", count, seeded())
