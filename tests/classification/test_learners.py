"""Classical classifiers and remembered features."""

import pytest
import torch

from course_lib.parts.classification.learners import Learner, Remembered


@pytest.mark.parametrize("name", ["logistic_1", "svm", "forest"])
@pytest.mark.parametrize("per_class", [1, 3, 20])
def test_learners_give_probabilities_from_any_number_of_cases(name, per_class):
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(3).repeat(per_class)
    features = torch.randn(len(label), 4, generator=generator) + 3 * label[:, None]
    found = Learner(name, 4).fit(features, label)(features)
    assert found.shape == (len(label), 4) and torch.allclose(found.sum(1), torch.ones(len(label)))
    assert (found[:, 3] == 0).all()  # a class that was never seen
    if per_class == 20:
        assert (found.argmax(1) == label).float().mean() > 0.9


def test_remembered_features_are_worked_out_once_per_case():
    seen = []

    def work(batch):
        seen.append(len(batch["image"]))
        return {"mean": batch["image"].mean(1, keepdim=True)}

    remembered = Remembered(work)
    batch = {"image": torch.arange(12.0).reshape(6, 2)}
    first, again = remembered(batch), remembered({"image": batch["image"].flip(0)})
    assert sum(seen) == 6
    assert torch.equal(first["mean"], again["mean"].flip(0))
