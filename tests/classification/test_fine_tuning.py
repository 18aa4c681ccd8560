"""Fine-tuning: who learns when, and from what."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.learning import entered
from course_lib.methods.classification.fine_tuning import FineTuning
from course_lib.tasks.classification import malignancy
from tests.classification.example import facts, weights


def test_fine_tuning_and_scratch_share_the_architecture():
    shapes = [
        {
            name: value.shape
            for name, value in FineTuning(weights).fresh(facts()).state_dict().items()
        }
        for weights in ("imagenet", "random")
    ]
    assert shapes[0] == shapes[1]


def test_depth_frees_more_and_more_of_the_network():
    free = []
    for depth in range(8):
        method = FineTuning(depth=depth).fresh(facts())
        parts = [p for p in method.network.parameters() if p.requires_grad]
        free.append(sum(p.numel() for p in parts))
    assert free[0] == 0 and all(a < b for a, b in pairwise(free))
    total = sum(p.numel() for p in FineTuning(depth=7).fresh(facts()).network.parameters())
    assert free[7] == total
    with pytest.raises(CourseError, match="depth is 0 to 7, not 8"):
        FineTuning(depth=8)
    with pytest.raises(CourseError, match="'cats'; there are: imagenet, random, near"):
        FineTuning("cats")


def test_the_near_source_asks_for_the_nodule_and_never_for_the_label(cases):
    method = FineTuning("near").fresh(cases.facts).train()
    assert [stage.name for stage in method.stages] == ["source", "network"]
    method.stage = "source"
    batch = malignancy.sample(cases.train, "smoke", 4, torch.Generator().manual_seed(0))
    values = []
    for label in (batch["label"], 1 - batch["label"]):
        with torch.no_grad():
            ((_, loss),) = method.losses(batch | {"label": label})
        values.append(float(loss))
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_without_a_background_there_is_no_near_source(cases):
    train = cases.train
    tensors = {k: v for k, v in train.tensors.items() if k != "background"}
    method = FineTuning("near").fresh(cases.facts)
    with (
        pytest.raises(CourseError, match="no `background`"),
        entered(method, method.stages[0], replace(train, tensors=tensors)),
    ):
        pass


def test_fine_tuning_changes_the_head_first_and_then_only_what_is_free(cases):
    method = FineTuning(depth=1).fresh(cases.facts)
    network = method.network
    frozen = [*network._blocks[: network.ends[-2]], network._conv_stem]
    before = [weights(part).clone() for part in frozen], weights(network._conv_head).clone()
    statistics = network._bn1.running_mean.clone()
    batch = malignancy.sample(cases.train, "smoke", 4, torch.Generator().manual_seed(0))
    for stage, moved in zip(method.stages, (False, True), strict=True):
        head = weights(method.head).clone()
        with entered(method, stage, cases.train) as turn:
            turn.train()
            ((player, _),) = turn.step(batch)
        assert player == stage.name and not torch.equal(weights(method.head), head)
        assert torch.equal(weights(network._conv_head), before[1]) != moved
        assert all(torch.equal(weights(a), b) for a, b in zip(frozen, before[0], strict=True))
    rates = [group["lr"] for group in turn.optimisers["network"].param_groups]
    assert rates[0] == pytest.approx(10 * rates[1])
    assert torch.equal(network._bn1.running_mean, statistics)  # ImageNet's, also where it learns
