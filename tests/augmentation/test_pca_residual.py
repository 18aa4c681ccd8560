"""The PCA residual."""

import torch

from course_lib.methods.augmentation.pca_residual import PCAResidual
from course_lib.parts.hounsfield import lung_range


def test_the_residual_is_zero_within_the_directions(healthy):
    method = PCAResidual().fresh(healthy.facts)
    method.prepare(healthy.train)
    batch = healthy.train.batch(slice(0, 5))
    for components, wanted in ((0, None), (256, 0.0)):
        method.set({"components": components})
        score = method.predict(batch)["score"]
        rows = lung_range(healthy.train["image"]).flatten(1)
        mean = 700 * (rows[:5] - rows.mean(0)).abs().mean(1)
        wanted = mean if wanted is None else torch.zeros(5)
        assert torch.allclose(score, wanted, atol=0.5)
