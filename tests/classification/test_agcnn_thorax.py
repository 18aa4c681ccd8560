"""AG-CNN: where it looks again, and who learns when."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.learning import entered
from course_lib.methods.classification import agcnn_thorax as agcnn
from course_lib.parts.cells import Cells
from course_lib.tasks.classification import malignancy
from tests.classification.example import facts, weights


def test_the_heat_map_is_the_largest_absolute_activation():
    maps = torch.zeros(1, 3, 4, 4)
    maps[0, 1, 1, 2], maps[0, 2, 3, 0] = -5.0, 2.0
    heat = agcnn.heat_map(maps, (4, 4), Cells())[0]
    assert heat[1, 2] == 1 and heat[3, 0] == pytest.approx(0.4) and heat.min() == 0


def test_the_box_is_that_of_the_largest_connected_region_and_shrinks_with_tau():
    heat = np.zeros((20, 20))
    heat[2:4, 2:4] = 1.0  # brighter, but smaller
    heat[8:14, 10:19] = 0.8
    assert agcnn.attended_box(heat, 0.7) == (8, 10, 14, 19)
    assert agcnn.attended_box(heat, 0.9) == (2, 2, 4, 4)
    assert agcnn.attended_box(heat, 1.5) == (0, 0, 20, 20)
    place = np.linspace(-1, 1, 33)
    hill = np.exp(-(place[:, None] ** 2 + place**2))
    sides = [agcnn.attended_box(hill, tau)[2] for tau in (0.3, 0.5, 0.7, 0.9)]
    assert all(a > b for a, b in pairwise(sides))
    assert agcnn.at_least((0, 17, 2, 20), 8, (20, 20)) == (0, 12, 8, 20)


def test_the_crop_never_depends_on_label_or_outline(cases):
    batch = cases.test.batch(slice(0, 3))
    spoiled = batch | {"mask": torch.zeros_like(batch["mask"]), "label": 1 - batch["label"]}
    method = agcnn.AGCNN().fresh(cases.facts).eval()
    with torch.no_grad():
        assert torch.equal(method.predict(batch), method.predict(spoiled))
        oracle = agcnn.AGCNN(crop="outline").fresh(cases.facts).eval()
        oracle.load_state_dict(method.state_dict())
        assert not torch.equal(oracle.predict(batch), method.predict(batch))
    moved = agcnn.AGCNN(crop="random").fresh(cases.facts).eval().boxes(torch.rand(2, 64, 64), batch)
    assert all(0 <= t < b <= 64 and 0 <= a < c <= 64 for t, a, b, c in moved)


def test_branches_are_scored_apart_and_the_fusion_is_what_counts(cases):
    batch = cases.test.batch(slice(0, 4))
    method = agcnn.AGCNN().fresh(cases.facts).eval()
    with torch.no_grad():
        found = method.branches(batch)
        assert list(found) == ["global", "local", "fusion"]
        assert torch.equal(method.predict(batch), found["fusion"])
        method.stage = "global"
        assert torch.equal(method.predict(batch), found["global"])
    assert len({float(p[0, 1]) for p in found.values()}) == 3


def test_three_stages_each_train_their_part_only(cases):
    """What is frozen keeps even its running statistics."""
    method = agcnn.AGCNN().fresh(cases.facts)
    assert [stage.name for stage in method.stages] == ["global", "local", "fusion"]
    parts = {"global": method.whole, "local": method.local, "fusion": method.fusion}
    batch = malignancy.sample(cases.train, "smoke", 4, torch.Generator().manual_seed(0))
    for stage in method.stages:
        before = {name: weights(part).clone() for name, part in parts.items()}
        with entered(method, stage, cases.train) as turn:
            turn.train()
            ((player, _),) = turn.step(batch)
        moved = {n for n, part in parts.items() if not torch.equal(weights(part), before[n])}
        assert moved == {stage.name} == {player}


def test_what_it_cannot_do_it_says():
    with pytest.raises(CourseError, match="'left'; there are: attention, random, outline"):
        agcnn.AGCNN(crop="left")
    with pytest.raises(CourseError, match=r"between 0 and 1, not 1\.5"):
        agcnn.AGCNN(tau=1.5)
    with pytest.raises(CourseError, match="take resnet_baseline"):
        agcnn.AGCNN().fresh(facts(dims=3))
