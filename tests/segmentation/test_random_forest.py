"""Random forest on filters: what it sees beyond brightness."""

import torch

from course_lib.methods.segmentation.intensity_windows import IntensityWindows
from course_lib.methods.segmentation.random_forest import RandomForest, features
from course_lib.tasks.segmentation import structures
from tests.segmentation.example import as_cases, disc, noise


def test_random_forest_beats_brightness_where_only_texture_tells():
    batch = disc()
    rough = noise(1, 1, 4, 64, 64) * torch.where(batch["label"] > 0, 0.5, 0.1)
    batch = batch | {"image": 0.5 + rough}
    cases, scores = as_cases(batch), []
    for method in (IntensityWindows(), RandomForest()):
        torch.manual_seed(0)
        method.fresh(cases.facts).prepare(cases)
        method.set(method.grid[-1])
        found = structures.score(method.predict(batch), batch, cases.facts)
        scores.append(found["dice"].item())
    assert scores[1] > scores[0] + 0.1
    assert features(batch).shape == (4 * 64 * 64, 17)
