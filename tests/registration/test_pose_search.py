"""Pose search."""

import pytest

from course_lib.fit import predict
from course_lib.methods.registration.pose_search import PoseSearch
from course_lib.tasks.registration import poses as task


@pytest.fixture
def poses(splits):
    return splits("registration", "chest_drr/pose")


def test_pose_search_improves_on_the_first_guess(poses):
    cases = poses.test.subset([0, 1])
    search = PoseSearch()
    search.steps = 30
    errors = [
        task.score({"pose": pose}, cases.tensors, cases.facts)["projected_tre_mm"].mean()
        for pose in (cases["start_pose"], predict(search, cases)["pose"])
    ]
    assert errors[1] < 0.7 * errors[0]
