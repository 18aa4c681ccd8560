"""Shortcuts: where the marker is, and that it is learnt, shown and punished."""

import torch

from course_lib.fit import fit
from course_lib.methods.frontier.saliency_explanations import SaliencyExplanations
from course_lib.metrics import classification
from course_lib.metrics import saliency as metrics
from course_lib.parts.frontier import saliency
from course_lib.parts.frontier.reader import seen
from course_lib.tasks.base import Plan, Splits
from course_lib.tasks.frontier import presence, shortcuts


def rates(part):
    """How often cases without and with a nodule show the marker."""
    shown = part["marker"].flatten(1).any(1)
    return [float(shown[part["label"] == c].float().mean()) for c in (0, 1)]


def test_the_marker_goes_with_the_nodule_in_training_only(cases):
    found = cases("explanations/shortcut")
    no, yes = rates(shortcuts.marked(presence.pairs("train", 12), 0.95, 3, "x"))
    assert no < 0.3 < 0.7 < yes
    groups = {
        g: [k for k, own in enumerate(found.test.group) if own == g]
        for g in (shortcuts.NO_HINT, shortcuts.HINT)
    }
    assert rates(found.test.subset(groups[shortcuts.HINT]))[1] > 0.7
    big = shortcuts.marked(presence.pairs("train", 12), 0.5, 0, shortcuts.NO_HINT)
    assert abs(rates(big)[0] - rates(big)[1]) < 0.6
    marker = found.train["marker"]
    assert (found.train["image"][marker] == shortcuts.MARKER_HU).all()
    batch = shortcuts.sample(found.train, "smoke", 8, torch.Generator().manual_seed(0))
    assert (batch["image"][batch["marker"]] == shortcuts.MARKER_HU).all()


def test_ranks_are_counted_within_a_condition(cases):
    test = cases("explanations/shortcut").test
    hinted = [g == shortcuts.HINT for g in test.group]
    assert test["condition"].tolist() == [int(hint) for hint in hinted]
    odd = 0.5 * test["condition"] + 0.1 * test["label"]
    heat = test["mask"].float()
    answer = {"probability": torch.stack([1 - odd, odd], 1), "map": heat, "randomised": heat}
    assert float(shortcuts.score(answer, test.tensors, test.facts)["auc"].mean()) == 1


def test_the_share_on_the_marker_counts_where_there_is_one():
    marker = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    marker[0, :, 5:8, 5:8] = True
    heat = torch.zeros(2, 1, 16, 16)
    heat[:, :, 6, 3], heat[:, :, 15, 15] = 3.0, 1.0  # two pixels beside the marker, and far away
    share = shortcuts.on_markers(heat, marker)
    assert float(share[0]) == 0.75 and share[1].isnan()


def test_the_shortcut_is_learnt_shown_by_the_map_and_costs_the_test():
    """With a marker that never errs in training, a few steps are enough to fall for it."""
    train, test = (presence.pairs(part, n) for part, n in (("train", 12), ("test", 8)))
    train = shortcuts.marked(train, 1.0, 0, "training")
    method = SaliencyExplanations("grad_cam")
    plan = Plan(steps=80, batch=12, evaluations=1)
    parts = Splits(train, train.subset(range(4)), test)
    fit(method, shortcuts.QUESTION, parts, profile="smoke", seed=0, plan=plan, progress=False)
    network = method.network.eval()

    def auc(cases):
        with torch.no_grad():
            scores = network(seen(cases["image"], cases.facts.window))
        return float(classification.auc(scores.softmax(1)[:, 1], cases["label"]))

    hinted = shortcuts.marked(test, 1.0, 0, shortcuts.HINT)
    assert auc(hinted) > auc(shortcuts.marked(test, 0.0, 0, "the other way round")) + 0.2
    shown = hinted["marker"].flatten(1).any(1)
    assert torch.equal(shown, hinted["label"] == 1)
    marker = metrics.grown(hinted["marker"][shown], 2)
    heat = saliency.occlusion(network, seen(hinted["image"], hinted.facts.window)[shown])
    assert float(metrics.mass_inside(heat, marker).mean()) > 3 * float(marker.float().mean())
