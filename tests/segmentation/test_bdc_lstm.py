"""kU-Net + BDC-LSTM: what makes it itself."""

import torch

from course_lib.learning import entered
from course_lib.methods.segmentation.bdc_lstm import KUNetBDCLSTM
from course_lib.parts.segmentation.stacks import standardise, to_slices


def test_bdc_lstm_passes_from_coarse_to_fine_and_through_the_stack(cases):
    batch = cases.test.batch(slice(0, 1))
    method = KUNetBDCLSTM().fresh(cases.facts).eval()
    slices = method.network.slices
    with torch.no_grad():
        before = slices(to_slices(standardise(batch)))
        slices.coarse.merge[-1][4].bias.add_(1.0)
        assert not torch.equal(slices(to_slices(standardise(batch))), before)
        changed = batch | {"image": batch["image"].clone()}
        changed["image"][:, :, 7] = 0
        for stage, context in (("both", True), ("slices", False)):
            method.stage = stage
            one, other = (method.scores(b)[:, :, 0] for b in (batch, changed))
            assert torch.equal(one, other) != context


def test_bdc_lstm_is_trained_one_network_after_the_other(cases, piece):
    """What is frozen keeps even its running statistics."""
    method, moved = KUNetBDCLSTM().fresh(cases.facts), {}
    for stage in method.stages:
        parts = {"slices": method.network.slices, "stack": method.network.stack}
        before = {name: values(part) for name, part in parts.items()}
        with entered(method, stage, cases.train) as turn:
            turn.train()
            ((player, _),) = turn.step(piece)
        assert player == stage.name
        moved[stage.name] = [n for n, part in parts.items() if not before[n].equal(values(part))]
    assert moved == {"slices": ["slices"], "stack": ["stack"], "both": ["slices", "stack"]}
    assert method.stage == "both" and method.scores(piece).requires_grad


def test_without_context_ku_net_has_all_the_steps(cases):
    method = KUNetBDCLSTM(context=False).fresh(cases.facts)
    assert [stage.name for stage in method.stages] == ["slices"] == list(method.players())
    assert not hasattr(method.network, "stack")
    whole = sum(p.numel() for p in method.network.parameters())
    assert sum(p.numel() for p in method.players()["slices"]) == whole


def values(part):
    """All weights and statistics in one row."""
    return torch.cat([value.flatten().double() for value in part.state_dict().values()])
