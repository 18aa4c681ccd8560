"""Pose regression: what makes it itself."""

import pytest
import torch

from course_lib.methods.registration import drr_pose_regression as pehl
from course_lib.physics import drr


@pytest.fixture
def poses(splits):
    return splits("registration", "chest_drr/pose")


def test_pose_regression_sees_residuals_only(poses):
    """Nothing is left to see where the DRR equals the picture."""
    batch = poses.test.batch(slice(0, 2))
    method = pehl.DRRPoseRegression().fresh(poses.facts)
    own = batch | {"xray": pehl.drr_of(batch, batch["true_pose"], poses.facts)}
    assert method.regions(own, batch["true_pose"]).abs().max() < 1e-5
    assert method.regions(own, batch["start_pose"]).abs().max() > 0.05


def test_pose_regression_has_three_groups_and_renders_anew(poses, monkeypatch):
    groups = [set(own) for own in pehl.GROUPS.values()]
    assert len(groups) == 3 and set.union(*groups) == set(range(6)) and sum(map(len, groups)) == 6
    seen = []
    render = pehl.drr_of
    monkeypatch.setattr(pehl, "drr_of", lambda b, pose, f: seen.append(pose) or render(b, pose, f))
    batch = poses.test.batch(slice(0, 2))
    method = pehl.DRRPoseRegression(rounds=2).fresh(poses.facts)
    with torch.no_grad():
        result = method.predict(batch)["pose"]
    assert len(seen) == 2 * 3 and not torch.equal(seen[1], seen[2])
    assert not torch.equal(result, batch["start_pose"])


def test_regions_follow_the_anchors():
    camera = drr.Camera()
    anchors = pehl.ANCHORS[None]
    shifted = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 11.0]])
    moved = camera.shadow(drr.place(anchors, shifted)) - camera.shadow(anchors)
    assert torch.allclose(moved[..., 1], torch.tensor(11 * 1100 / 800 / 8), atol=1e-3)
