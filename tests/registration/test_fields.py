"""Registration where the true field is known: who is tested, what is true."""

import pytest
import torch

from course_lib.physics import fields
from course_lib.tasks.registration import fields as task


@pytest.fixture
def known(splits):
    return splits("registration", "brain_2d/known_fields")


def zero(batch):
    field = torch.zeros_like(batch["displacement"])
    return {"forward": field, "backward": field}


def test_the_true_field_brings_pictures_labels_and_landmarks_together(known):
    batch = known.test.tensors
    truth, facts = batch["displacement"], known.facts
    found = {"forward": truth, "backward": fields.inverse(truth)}
    field_scores, before = (task.score(a, batch, facts) for a in (found, zero(batch)))
    assert (field_scores["tre_mm"] < 0.5).all() and (before["tre_mm"] > 3).all()
    assert torch.equal(field_scores["endpoint_error_mm"], torch.zeros(len(truth)))
    assert (field_scores["dice"] > before["dice"]).all()
    assert (field_scores["dissimilarity"] < 0.3 * before["dissimilarity"]).all()
    assert (field_scores["inverse_consistency_mm"] < 0.3).all()


def test_the_headline_is_of_the_brain_and_the_rim_a_column_of_its_own(known):
    """A field that is right in the brain alone, or around it alone."""
    batch, truth = known.test.tensors, known.test["displacement"]
    brain = torch.nn.functional.max_pool2d((batch["fixed_label"] > 6).float(), 3, 1, 1)
    scores = [
        {name: float(v.mean()) for name, v in task.score(a, batch, known.facts).items()}
        for a in (
            {"forward": field, "backward": field}
            for field in (truth, truth * brain, truth * (1 - brain))
        )
    ]
    right, inside, around = scores
    assert right["tre_mm"] < 0.5 and right["tre_rim_mm"] < 0.5
    assert 2 * inside["tre_mm"] < inside["tre_rim_mm"]
    assert 2 * around["tre_rim_mm"] < around["tre_mm"]


def test_direction_of_the_field(known):
    """Pull: warped(x) = moving(x + u(x)). The opposite sign makes it worse than nothing."""
    batch = known.test.tensors
    truth = batch["displacement"]
    scores = [
        task.score({"forward": f, "backward": -f}, batch, known.facts)["tre_mm"].mean()
        for f in (truth, torch.zeros_like(truth), -truth)
    ]
    assert scores[0] < scores[1] < scores[2]
    # One voxel down, then one to the right: the first channel is that of the rows.
    image = torch.rand(1, 1, 8, 8)
    down = torch.zeros(1, 2, 8, 8)
    down[:, 0] = 1
    assert torch.allclose(fields.warp(image, down)[..., :-1, :], image[..., 1:, :], atol=1e-5)


def test_the_seed_decides_the_cases(known):
    again, other = (task.make("brain_2d/known_fields", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.test["fixed"], known.test["fixed"])
    assert not torch.equal(other.test["fixed"], known.test["fixed"])
