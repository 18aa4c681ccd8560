"""What a network looks at: what only a network can answer."""

import torch

from course_lib.tasks.frontier import explanations


def test_deletion_and_insertion_are_known_for_networks_and_nodules_only(cases):
    test = cases("explanations/nodules").test
    count, nodule = len(test), test["label"] == 1
    noise = torch.rand(test["mask"].shape, generator=torch.Generator().manual_seed(0))
    plain = {"probability": torch.full((count, 2), 0.5), "map": noise, "randomised": noise}
    scores = explanations.score(plain, test.tensors, test.facts)
    assert scores["deletion"].isnan().all() and scores["insertion"].isnan().all()
    assert torch.allclose(scores["sanity"], torch.ones(count))
    steps = torch.tensor([0.0, 0.5, 1.0]).expand(count, 3)
    scores = explanations.score(
        plain | {"deletion": steps, "insertion": 1 - steps / 2}, test.tensors, test.facts
    )
    assert (scores["deletion"][nodule] == 0.5).all()
    assert (scores["insertion"][nodule] == 0.75).all()
    assert scores["deletion"][~nodule].isnan().all()


def test_nodules_stand_first(cases):
    label = cases("explanations/nodules").test["label"]
    assert label.tolist() == sorted(label.tolist(), reverse=True) and set(label.tolist()) == {0, 1}
