"""Poses of a patient in X-rays: what is true, what an error is."""

import pytest
import torch

from course_lib.parts.registration.pose import drr_of
from course_lib.tasks.registration import poses as task
from course_lib.tasks.registration import xrays


@pytest.fixture
def poses(splits):
    return splits("registration", "chest_drr/pose")


def test_poses_of_the_one_patient_say_so_and_differ(poses):
    assert set(poses.test.group) == {task.SAME_PATIENT} and task.SAME_PATIENT.startswith("same pat")
    apart = torch.cdist(poses.test["true_pose"], poses.train["true_pose"])
    assert apart.min() > 0.1


def test_true_poses_score_zero_and_are_not_explained_exactly(poses):
    batch = poses.test.tensors
    scores = task.score({"pose": batch["true_pose"]}, batch, poses.facts)
    assert set(scores) == set(task.QUESTION.metrics)
    assert scores["tre_mm"].max() < 1e-3 and scores["success_percent"].min() == 100
    residual, wrong = (
        (drr_of(batch, batch[pose], poses.facts) - batch["xray"]).abs().mean()
        for pose in ("true_pose", "start_pose")
    )
    assert 0.001 < residual < 0.5 * wrong


def test_pose_errors_are_those_of_geometry(poses):
    batch = poses.test.tensors
    along, across = batch["true_pose"].clone(), batch["true_pose"].clone()
    along[:, 4] += 7.0  # away from the camera
    across[:, 5] += 7.0
    depth, side = (task.score({"pose": pose}, batch, poses.facts) for pose in (along, across))
    assert torch.allclose(depth["tre_mm"], torch.tensor(7.0), atol=1e-3)
    assert depth["projected_tre_mm"].max() < 1e-3 and depth["success_percent"].min() == 100
    assert torch.allclose(side["projected_tre_mm"], torch.tensor(7.0), atol=1e-3)
    assert side["success_percent"].max() == 0
    for moved, share in ((0.9, 100), (1.1, 0)):  # success is at a millimetre
        near = batch["true_pose"].clone()
        near[:, 5] += moved
        found = task.score({"pose": near}, batch, poses.facts)["success_percent"]
        assert found.unique().tolist() == [share]
    turned = batch["true_pose"].clone()
    turned[:, 1] += 30
    found = task.score({"pose": turned}, batch, poses.facts)["rotation_degrees"]
    assert torch.allclose(found, torch.tensor(30.0), atol=0.05)


def test_landmarks_of_the_chest_lie_in_it():
    points = xrays.patient(16.0).landmarks
    assert len(points) >= 12 and points.abs().max() < 200
