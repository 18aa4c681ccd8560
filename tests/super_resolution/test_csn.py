"""CSN: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib.methods.super_resolution.csn import CSN, Split
from course_lib.tasks.super_resolution import large_voxels
from tests.look import layers
from tests.super_resolution.example import IN_PLANE, batch_of, facts, seeded


def test_csn_splits_channels_and_merges_by_the_mean():
    block = Split(8)
    for parameter in block.parameters():  # silence both branches: only merge-and-run is left
        nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 5, 5, generator=seeded())
    mean = (x[:, :4] + x[:, 4:]) / 2
    torch.testing.assert_close(block(x), torch.cat([mean, mean], dim=1))
    first = layers(block.residual, nn.Conv2d)[0], layers(block.dense, nn.Conv2d)[0]
    assert [c.in_channels for c in first] == [4, 4]  # halves, not copies


def test_csn_dense_branch_sees_all_before_and_enlarges_at_the_end():
    method = CSN(blocks=2, width=8).fresh(facts())
    growing = [c.in_channels for c in method.body[0].dense.layers]
    assert growing == sorted(set(growing)) and len(growing) == 3
    seen = []
    for layer in layers(method, nn.Conv2d):
        layer.register_forward_hook(lambda m, i, o: seen.append(i[0].shape[-1]))
    assert method(torch.rand(1, 1, 4, 4)).shape[-1] == 12
    assert set(seen[:-1]) == {4} and seen[-1] == 12


def test_csn_minimises_the_absolute_error_under_both_degradations():
    ((_, loss),) = CSN().fresh(facts()).losses(batch_of(IN_PLANE))
    assert torch.isfinite(loss)
    kinds = {large_voxels.parse(name)[1] for name in large_voxels.QUESTION.sources}
    assert {"bicubic", "kspace"} <= kinds
    method, batch = CSN().fresh(facts()), batch_of(IN_PLANE)
    fine = method.predict(batch)
    expected = (fine - batch["high_resolution"]).abs().mean() / 1000
    ((_, loss),) = method.losses(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
