"""RetinaNet: what makes it itself."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.methods.detection import retinanet
from tests.detection.made_up import FACTS, disc_batch, random


def test_focal_loss_is_the_papers_and_cross_entropy_at_gamma_0():
    logits, truth = torch.tensor([2.0, 2.0, -3.0]), torch.tensor([1.0, 0.0, 0.0])
    p = logits.sigmoid().tolist()
    wanted = [
        -0.25 * (1 - p[0]) ** 2 * math.log(p[0]),
        -0.75 * p[1] ** 2 * math.log(1 - p[1]),
        -0.75 * p[2] ** 2 * math.log(1 - p[2]),
    ]
    assert torch.allclose(retinanet.focal_loss(logits, truth), torch.tensor(wanted), rtol=1e-4)
    plain = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    assert torch.allclose(retinanet.focal_loss(logits, truth, 0.0, -1.0), plain)


def test_retinanet_starts_at_the_prior_and_uses_every_anchor():
    method, batch = retinanet.RetinaNet().fresh(FACTS).eval(), disc_batch(2)
    with torch.no_grad():
        logits, codes, every = method(batch["image"])
    assert logits.sigmoid().mean() == pytest.approx(0.01, rel=0.3)
    assert len(every) == 3 * (16**2 + 8**2 + 4**2) == logits.shape[1] == codes.shape[1]
    logits = torch.zeros(1, 50, 1, requires_grad=True)
    truth = torch.zeros_like(logits)
    truth[0, 3] = 1
    known = torch.ones(1, 50, 1, dtype=torch.bool)
    method.judged(logits, truth, known).backward()
    assert (logits.grad != 0).all()  # no sampling of negatives
    ohem = retinanet.RetinaNet(loss="ohem")
    logits = random(1, 50, 1).requires_grad_()
    ohem.judged(logits, truth, known).backward()
    assert (logits.grad != 0).sum() == 4  # the positive and its three hardest


def test_retinanet_normalises_by_positives_which_are_few():
    batch, method = disc_batch(1), retinanet.RetinaNet().fresh(FACTS)
    method.eval()
    twice = {key: torch.cat([value, value]) for key, value in batch.items()}
    values = []
    for each in (batch, twice):
        ((_, loss),) = method.losses(each)
        values.append(loss.item())
        found = retinanet.responsible(method(each["image"])[2], each)
        positives, negatives = (found >= 0).sum(), (found == -1).sum()
        assert positives >= len(each["boxes"]) and negatives > 50 * positives
    assert values[0] == pytest.approx(values[1], rel=1e-3)  # not by images, not by anchors


def test_retinanets_loss_is_the_sum_of_its_terms_by_their_weights():
    batch, values = disc_batch(2), {}
    for box in (0.0, 1.0, 2.0):
        torch.manual_seed(0)
        method = retinanet.RetinaNet(box=box).fresh(FACTS).eval()
        ((player, loss),) = method.losses(batch)
        assert player == "network" and set(method.told) == {"classification", "box"}
        values[box] = loss.item()
    told = {name: value.item() for name, value in method.told.items()}
    assert values[0.0] == pytest.approx(told["classification"])
    assert values[1.0] == pytest.approx(sum(told.values()))
    assert values[2.0] == pytest.approx(told["classification"] + 2 * told["box"])


def test_retinanet_learns_as_many_classes_as_there_are_and_puts_each_on_its_anchor():
    batch = disc_batch(2)
    batch["labels"] = torch.tensor([[0], [2]])
    method = retinanet.RetinaNet().fresh(FACTS | {"classes": 3}).eval()
    truths = []
    method.judged = lambda logits, truth, known: truths.append(truth) or logits.sum()
    method.terms(batch)
    assert truths[0].shape[2] == 3
    assert truths[0].bool().any(1).tolist() == [[True, False, False], [False, False, True]]


@pytest.mark.parametrize("variant", catalogue.entry("retinanet").variants.values())
def test_ablations_differ_in_the_class_loss_alone(variant):
    batch, terms = disc_batch(2), []
    for options in ({}, variant):
        torch.manual_seed(0)
        method = catalogue.build("retinanet", **options).fresh(FACTS).eval()
        terms.append(method.terms(batch))
    assert torch.equal(terms[0]["box"], terms[1]["box"])
    assert not torch.isclose(terms[0]["classification"], terms[1]["classification"], rtol=0.01)


def test_an_unknown_loss_is_refused():
    with pytest.raises(CourseError, match=r"focal.*ohem.*'hinge'"):
        retinanet.RetinaNet(loss="hinge")
