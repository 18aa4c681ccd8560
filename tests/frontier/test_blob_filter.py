"""The blob filter: its own size, and what it forgets."""

import torch

from course_lib.fit import fit
from course_lib.methods.frontier.blob_filter import BlobFilter
from course_lib.tasks.frontier import explanations
from tests.frontier.look import FACTS


def test_the_blob_filter_answers_most_to_its_own_size():
    row = torch.arange(64) - 31.5
    distance = torch.hypot(row[:, None], row[None])
    method, best = BlobFilter().fresh(FACTS), {}
    for radius in (3, 8):
        disc = torch.where(distance < radius, 0.0, -800.0)[None, None]
        answers = {}
        for size in (1.5, 2.5, 4.0, 6.0):
            method.size = size
            answers[size] = float(method.answer(disc)[0, 0, 31, 31])
        best[radius] = max(answers, key=answers.get)
    assert best == {3: 2.5, 8: 6.0}


def test_the_threshold_lies_between_images_with_and_without_a_nodule(cases):
    splits = cases("explanations/nodules")
    method = BlobFilter()
    fit(method, explanations.QUESTION, splits, profile="smoke", seed=0, progress=False)
    image, label = splits.train["image"], splits.train["label"]
    highest = method.answer(image).amax((1, 2, 3))
    assert highest[label == 0].mean() < method.border < highest[label == 1].mean()
    method.fresh(splits.facts)
    assert method.known is None and method.border == 300
