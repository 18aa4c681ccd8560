"""T2 from T1: what can be scored, and the measured pair."""

import numpy as np
import pytest
import torch

from course_lib.data.volume import Volume
from course_lib.tasks.translation import t2_from_t1 as task


def test_mr_targets_have_no_hounsfield_scores():
    parts = task.make("t1_to_t2/aligned", "smoke", 0)
    assert not parts.facts.hounsfield and parts.facts.target_range[0] == 0
    scores = task.QUESTION.score(parts.test["target"], parts.test.tensors, parts.facts)
    assert set(scores) == set(task.QUESTION.metrics)
    assert "mae" not in scores and not any("bone" in name for name in scores)
    assert all(not values.isnan().any() for values in scores.values())


def test_errors_count_relative_to_the_range_of_targets():
    parts = task.make("t1_to_t2/aligned", "smoke", 0)
    low, high = parts.facts.target_range
    inside = parts.test["target"].clamp(low + 0.2, high - 0.2)
    batch = parts.test.tensors | {"target": inside}
    scores = task.QUESTION.score(inside + 0.1, batch, parts.facts)
    wanted = 20 * torch.log10(torch.tensor((high - low) / 0.1))
    assert torch.allclose(scores["psnr"], wanted, atol=1e-2)


def test_the_measured_pair_trains_on_one_side_and_tests_on_the_other(monkeypatch):
    """With made-up volumes in the place of the optional download."""
    generator = np.random.default_rng(0)

    def volume(side):
        image = generator.random((60, 32, 24)).astype(np.float32)
        return Volume(image, (0.5, 1, 1), f"CITI168-{side}", "a.u.", (0, 0, 0), {"t2w": 1 - image})

    monkeypatch.setattr("course_lib.data.sets.hippocampus.load", lambda: list(map(volume, "LR")))
    parts = task.make.__wrapped__("hippocampus_t1t2", "smoke", 0)
    assert set(parts.test.group) == {task.SAME_PATIENT} and set(parts.test.subject) == {"CITI168"}
    assert parts.facts.pixel_mm == pytest.approx(32 / 48) and not parts.facts.hounsfield
    assert parts.facts.target_range == pytest.approx((0, 1), abs=1e-3)
    last = max(int(name[-3:]) for name in parts.validation.case)
    assert min(int(name[-3:]) for name in parts.test.case) - last >= 12  # 6 mm
