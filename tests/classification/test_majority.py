"""The majority class."""

import torch

from course_lib.methods.classification.majority import Majority
from course_lib.tasks.classification import malignancy


def test_majority_says_how_frequent_each_class_is(cases):
    method = Majority().fresh(cases.facts)
    method.prepare(cases.train)
    prediction = method.predict(cases.test.tensors)
    share = cases.train["label"].float().mean()
    assert torch.allclose(prediction[:, 1], share.expand(len(prediction)))
    scores = malignancy.score(prediction, cases.test.tensors, cases.facts)
    assert float(scores["auc"].mean()) == 0.5
