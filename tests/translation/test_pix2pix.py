"""Pix2pix: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib import device
from course_lib.methods.translation.pix2pix import Pix2Pix
from course_lib.parts.translation.translators import to_unit
from tests.look import layers
from tests.translation.made import batch_of, made


@pytest.fixture
def cases(splits):
    return splits("translation")


def test_pix2pix_judges_the_pair_by_patches(cases):
    method, batch = made(Pix2Pix, cases), batch_of(cases)
    assert layers(method.discriminator, nn.Conv2d)[0].in_channels == 2
    source = to_unit(batch["source"], cases.facts.source_range)
    target = to_unit(batch["target"], cases.facts.target_range)
    with torch.no_grad():
        scores = method._judge(source, target)
        other = method._judge(source.flip(0), target)
    assert scores.shape[-1] > 1 and not torch.allclose(scores, other)


def test_pix2pix_weighs_l1_hundredfold_and_without_its_game_is_l1_alone(cases):
    batch = batch_of(cases)
    method = made(Pix2Pix, cases)
    assert method.l1 == 100 and method.adversarial == 1
    plain = made(Pix2Pix, cases, adversarial=0.0)
    assert set(plain.players()) == {"generator"}
    with device.seeded(1):
        ((_, loss),) = plain.losses(batch)
    with device.seeded(1):
        fake = plain.generator(to_unit(batch["source"], cases.facts.source_range))
    l1 = (fake - to_unit(batch["target"], cases.facts.target_range)).abs().mean()
    assert float(loss) == pytest.approx(100 * float(l1), rel=1e-5)
    plain.generator, losses = method.generator, {}
    with device.seeded(1):
        for player, value in method.losses(batch):
            losses[player] = float(value)
    with device.seeded(1):
        ((_, pixel),) = plain.losses(batch)
    game = losses["generator"] - float(pixel)
    assert 0.3 < game < 1.5  # about log 2 before training


@pytest.mark.parametrize(
    ("options", "players", "terms"),
    [
        ({}, ["discriminator", "generator"], {"l1", "adversarial"}),
        ({"l1": 0.0}, ["discriminator", "generator"], {"adversarial"}),
        ({"adversarial": 0.0}, ["generator"], {"l1"}),
    ],
)
def test_pix2pix_ablations(cases, options, players, terms):
    method = made(Pix2Pix, cases, **options)
    assert [player for player, _ in method.losses(batch_of(cases))] == players
    assert set(method.told) == terms and set(method.players()) == set(players)


def test_pix2pix_has_skips_and_keeps_dropout_in_the_decoder_at_test_time(cases):
    method, batch = made(Pix2Pix, cases), cases.test.batch(slice(0, 1))
    assert not layers(method.generator.down, nn.Dropout)
    assert len(layers(method.generator.up[0], nn.Dropout)) == 1  # the innermost level's
    widths = [layers(block, nn.ConvTranspose2d)[0].in_channels for block in method.generator.up]
    assert widths == [64, 128, 64, 32]  # all but the innermost hear a skip as well
    method.eval()
    with torch.no_grad():
        first, again = method.predict(batch), method.predict(batch)
        assert torch.equal(first, again)
        assert all(layer.training for layer in layers(method.generator, nn.Dropout))
        for layer in layers(method.generator, nn.Dropout):
            layer.p = 0.0
        assert not torch.equal(method.predict(batch), first)


def test_pix2pix_normalises_batches_and_judges_with_a_network_as_wide_as_it_draws(cases):
    method = made(Pix2Pix, cases, width=8)
    for network in (method.generator, method.discriminator):
        norms = layers(network, nn.BatchNorm2d)
        assert norms and all(norm.affine for norm in norms)
        assert not layers(network, nn.InstanceNorm2d)
        assert layers(network, nn.Conv2d)[0].out_channels == 8


def test_pix2pix_trains_on_pairs_of_which_half_are_mirrored_as_pairs(cases):
    method = made(Pix2Pix, cases)
    first = cases.train.batch(torch.zeros(40, dtype=torch.long))
    with device.seeded(0):
        batch = method.draw(cases.train, lambda train, count: first, 40)
    turned = (batch["source"] != first["source"]).flatten(1).any(1)
    assert 0.2 < turned.float().mean() < 0.8
    assert torch.equal(batch["target"][turned], first["target"][turned].flip(-1))
    assert torch.equal(batch["target"][~turned], first["target"][~turned])
