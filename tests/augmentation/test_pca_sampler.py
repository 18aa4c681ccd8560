"""The PCA sampler."""

import pytest
import torch

from course_lib import catalogue
from course_lib.parts.hounsfield import lung_range


def test_made_patches_have_the_mean_and_the_spread_of_their_class(labelled):
    method = catalogue.build("pca_sampler").fresh(labelled.facts)
    method.prepare(labelled.train)
    method.set({"components": 16})
    label = torch.ones(600, dtype=torch.long)
    drawn, _ = method.pictures_of(label, torch.Generator().manual_seed(0))
    mean, spread, rows = method.classes[1]
    inside = (lung_range(drawn).flatten(1) - mean) @ rows[:16].T
    assert (inside.std(0) / spread[:16])[:3].mean() == pytest.approx(1, abs=0.2)
    assert (lung_range(drawn).flatten(1).mean(0) - mean).abs().mean() < 0.05
