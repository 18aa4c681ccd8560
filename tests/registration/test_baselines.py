"""Classical registration improves on nothing."""

import pytest
import torch

from course_lib import catalogue
from course_lib.fit import predict
from course_lib.tasks.registration import fields as task


@pytest.fixture
def known(splits):
    return splits("registration", "brain_2d/known_fields")


def zero(batch):
    field = torch.zeros_like(batch["displacement"])
    return {"forward": field, "backward": field}


@pytest.mark.parametrize("name", ["demons", "ffd_ncc", "bspline", "affine"])
def test_baselines_improve_on_nothing(name, known):
    cases = known.test.subset([0, 1])
    answers = zero(cases.tensors), predict(catalogue.build(name), cases)
    before, after = (
        task.score(answer, cases.tensors, cases.facts)["dissimilarity"] for answer in answers
    )
    assert after.mean() < 0.8 * before.mean()
