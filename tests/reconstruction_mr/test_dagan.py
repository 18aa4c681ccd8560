"""DAGAN: what makes it itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.cases import Facts
from course_lib.methods.reconstruction_mr.dagan import DAGAN, discriminator
from tests.look import layers
from tests.reconstruction_mr.draws import batch_of, seeded

TERMS = ("pixel", "frequency", "perceptual", "adversarial")


@pytest.fixture
def batch(splits):
    return batch_of(splits("reconstruction_mr"))


def test_dagan_refines_its_input_and_clips():
    generator = DAGAN(perceptual=0).fresh(Facts()).generator
    picture = torch.rand(2, 1, 32, 32, generator=seeded()) * 2 - 1
    assert torch.equal(generator(picture), picture), "untrained, nothing is missing"
    nn.init.constant_(generator.last.bias, 10.0)
    assert torch.equal(generator(picture), (picture + 1).clamp(-1, 1))
    assert layers(generator, nn.ConvTranspose2d) and layers(generator, nn.BatchNorm2d)


def test_dagan_weighs_its_four_terms(batch):
    method = DAGAN().fresh(Facts())
    assert (method.pixel, method.frequency, method.adversarial) == (15, 0.1, 1)
    given, scale = method._scaled(batch)
    real = (2 * batch["target"].abs() / scale - 1).clamp(-1, 1)
    with torch.no_grad():
        terms = method.judged(given, real)
        judged = method.discriminator(given)
    assert tuple(terms) == TERMS
    whole = float(method.weighted(terms))
    parts = {name: getattr(method, name) * float(value) for name, value in terms.items()}
    assert whole == pytest.approx(sum(parts.values()), rel=1e-5)
    given, real = given.double().numpy(), real.double().numpy()
    error = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(given, real, strict=True)]
    assert parts["pixel"] == pytest.approx(15 * np.mean(error), rel=1e-5)  # not squared
    spectra = [np.abs(np.fft.fft2((x + 1) / 2)) for x in (given, real)]  # of 0 … 1, a plain sum
    expected = 0.1 * np.mean((spectra[0] - spectra[1]) ** 2)
    assert parts["frequency"] == pytest.approx(expected, rel=1e-4)
    wanted = nn.functional.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
    assert parts["adversarial"] == pytest.approx(float(wanted), rel=1e-4)
    assert parts["perceptual"] > 0


def test_dagan_content_outweighs_the_critic_in_all_of_its_spaces_but_one(batch):
    """What the paper's weights are for: pixels and frequencies pull as hard as the game does."""
    method = DAGAN().fresh(Facts())
    given, scale = method._scaled(batch)
    real = (2 * batch["target"].abs() / scale - 1).clamp(-1, 1)
    fake = given.requires_grad_()
    pull = {
        name: float(getattr(method, name) * torch.autograd.grad(value, fake)[0].norm())
        for name, value in method.judged(fake, real).items()
    }
    assert pull["frequency"] > 0.1 * pull["adversarial"]


@pytest.mark.parametrize("absent", TERMS)
def test_dagan_leaves_out_what_has_no_weight(batch, absent):
    method = DAGAN(**{absent: 0.0}).fresh(Facts())
    players = [player for player, _ in method.losses(batch)]
    assert set(method.told) == set(TERMS) - {absent}
    game = ["discriminator"] if absent != "adversarial" else []
    assert players == [*game, "generator"] and set(method.players()) == set(players)
    assert (method.features is None) == (absent == "perceptual")


def test_dagan_discriminates_with_cross_entropy_and_never_asks_the_data(batch):
    method = DAGAN(perceptual=0).fresh(Facts()).train()
    judged = []
    method.discriminator.register_forward_hook(lambda m, given, out: judged.append(out))
    (player, loss), *_ = method.losses(batch)
    real, fake = judged[:2]
    expected = nn.functional.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    expected += nn.functional.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    assert player == "discriminator" and float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert not layers(discriminator(), nn.Sigmoid)
    changed = batch | {"kspace": torch.randn_like(batch["kspace"]), "mask": 0 * batch["mask"]}
    with torch.no_grad():
        method.eval()
        assert torch.equal(method.predict(batch), method.predict(changed))
