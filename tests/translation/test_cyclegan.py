"""CycleGAN: what makes it itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import device
from course_lib.methods.translation.cyclegan import CycleGAN, Pool
from course_lib.parts.translation.translators import to_unit
from tests.look import layers
from tests.translation.made import batch_of, made


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_cyclegan_has_two_generators_and_two_unconditional_judges(cases):
    method = made(CycleGAN, cases)
    assert set(method.judges) == {"source", "target"}
    judges = [layers(judge, nn.Conv2d)[0] for judge in method.judges.values()]
    assert all(first.in_channels == 1 for first in judges)
    players = {key: {id(p) for p in value} for key, value in method.players().items()}
    own = {id(p) for g in (method.there, method.back) for p in g.parameters()}
    assert players["generators"] == own and not players["generators"] & players["discriminators"]
    assert sum(map(len, players.values())) == len(list(method.parameters()))


def test_cyclegan_never_looks_at_the_pair(cases):
    batch = batch_of(cases)
    spoiled = batch | {"target": torch.full_like(batch["target"], torch.nan)}
    with device.seeded(0):
        losses = [float(loss) for _, loss in made(CycleGAN, cases).losses(spoiled)]
    assert np.isfinite(losses).all()


def test_cyclegan_loss_is_least_squares_and_ten_cycles(cases):
    batch, method = batch_of(cases), made(CycleGAN, cases)
    assert method.cycle == 10 and method.identity == 0
    x = to_unit(batch["source"], cases.facts.source_range)
    y = to_unit(batch["unpaired_target"], cases.facts.target_range)
    with torch.no_grad():
        fake_y, fake_x = method.there(x), method.back(y)
        game = (method.judges["target"](fake_y) - 1).square().mean()
        game = game + (method.judges["source"](fake_x) - 1).square().mean()
        cycle = (method.back(fake_y) - x).abs().mean() + (method.there(fake_x) - y).abs().mean()
        losses = dict(method.losses(batch))
        assert float(losses["generators"]) == pytest.approx(float(game + 10 * cycle), rel=1e-5)
        judged = 0.0
        for side, real, fake in (("source", x, fake_x), ("target", y, fake_y)):
            judge = method.judges[side]
            judged += 0.5 * ((judge(real) - 1).square().mean() + judge(fake).square().mean())
    assert float(losses["discriminators"]) == pytest.approx(float(judged), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "terms"),
    [
        ({}, {"adversarial", "cycle"}),
        ({"adversarial": 0.0}, {"cycle"}),
        ({"cycle": 0.0}, {"adversarial"}),
        ({"identity": 5.0}, {"adversarial", "cycle", "identity"}),
    ],
)
def test_cyclegan_leaves_out_what_has_no_weight(cases, options, terms):
    method = made(CycleGAN, cases, **options)
    players = [player for player, _ in method.losses(batch_of(cases))]
    game = ["discriminators"] if "adversarial" in terms else []
    assert players == ["generators", *game] == list(method.players())
    assert set(method.told) == terms


def test_a_fresh_cyclegan_has_empty_pools(cases):
    method = made(CycleGAN, cases)
    list(method.losses(batch_of(cases)))
    assert len(method.pools["target"].images) == 2
    method.fresh(cases.facts)
    assert not method.pools["target"].images and method.pools["target"].size == 50


def test_the_pool_returns_new_and_old_fakes():
    pool = Pool(4)
    with device.seeded(0):
        first = pool(torch.arange(4.0).view(4, 1, 1, 1))
        later = torch.cat([pool(torch.full((1, 1, 1, 1), 10.0 + k)) for k in range(40)]).flatten()
    assert first.flatten().tolist() == [0, 1, 2, 3] and len(pool.images) == 4
    old = (later != 10 + torch.arange(40.0)).float().mean()
    assert 0.25 < old < 0.75
    assert len(set(later.tolist())) == 40  # one that was handed out is not kept


def test_judges_are_as_wide_as_translators_and_images_mirrored_in_training(cases):
    method = made(CycleGAN, cases, width=8)
    networks = (method.there, method.back, *method.judges.values())
    assert {layers(network, nn.Conv2d)[0].out_channels for network in networks} == {8}
    first = cases.train.batch(torch.zeros(40, dtype=torch.long))
    with device.seeded(0):
        batch = method.draw(cases.train, lambda train, count: first, 40)
    turned = (batch["source"] != first["source"]).flatten(1).any(1)
    assert 0.2 < turned.float().mean() < 0.8
    assert torch.equal(batch["source"][turned], first["source"][turned].flip(-1))
