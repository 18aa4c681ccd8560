"""DCGAN: its networks, its game, and who labels what it draws."""

import pytest
import torch
from torch import nn

from course_lib import catalogue, device
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.augmentation import dcgan
from course_lib.parts.hounsfield import from_lung_range, lung_range
from tests.cases import kinds
from tests.look import layers


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def made(name, splits, **options):
    with device.seeded(0):
        return catalogue.build(name, **options).fresh(splits.facts)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_networks_are_built_as_the_paper_says(size):
    torch.manual_seed(0)
    maker, judge = dcgan.generator(size), dcgan.Discriminator(size)
    image = maker(dcgan.noise(3, rng()))
    assert image.shape == (3, 1, size, size) and judge(image).shape == (3,)
    for network in (maker, judge):
        assert not layers(network, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.Upsample)
    ups, downs = layers(maker, nn.ConvTranspose2d), layers(judge, nn.Conv2d)
    assert len(layers(maker, nn.BatchNorm2d)) == len(ups) - 1  # not at the picture
    assert len(layers(judge, nn.BatchNorm2d)) == len(downs) - 2  # nor at the logit
    assert all(up.stride == (2, 2) for up in ups[1:]) and isinstance(maker[-1], nn.Tanh)
    assert len(layers(maker, nn.ReLU)) == len(ups) - 1 and not layers(maker, nn.LeakyReLU)
    assert {layer.negative_slope for layer in layers(judge, nn.LeakyReLU)} == {0.2}
    weights = torch.cat([layer.weight.flatten() for layer in (*ups, *downs)]).detach()
    assert float(weights.std()) == pytest.approx(0.02, rel=0.05) and abs(weights.mean()) < 1e-3


@pytest.mark.parametrize("name", ["dcgan", "liver_dcgan", "anogan"])
def test_gans_use_adam_with_half_momentum_and_detach_made_pictures(name, splits):
    question, dataset = next(kinds(catalogue.entry(name)))
    cases = splits("augmentation", dataset)
    batch = question.sample(cases.train, "smoke", 8, rng())
    method, rates = made(name, cases).train(), set()
    for player, loss in method.losses(batch):
        own = list(method.players()[player])
        optimiser = method.optimiser(player, own)
        assert optimiser.defaults["betas"][0] == 0.5
        rates.add((player.partition(",")[0], optimiser.defaults["lr"]))
        others = [p for p in method.parameters() if all(p is not q for q in own)]
        if player.startswith("discriminator"):
            grads = torch.autograd.grad(loss, others, allow_unused=True)
            assert all(g is None for g in grads)
        else:  # through the discriminator to the generator
            assert all(g.abs().max() > 0 for g in torch.autograd.grad(loss, own))
    assert rates == {("discriminator", 2.5e-4), ("generator", 1e-3)}


def test_both_real_and_made_pictures_are_shown_under_noise(labelled):
    method = made("dcgan", labelled).train()
    image, seen = torch.zeros(4, 1, 32, 32), []
    method.pair.discriminator.register_forward_hook(lambda m, i, o: seen.append(i[0]))
    list(method.losses({"image": image}))
    (real, fake, again), veil = seen, method.pair.veil
    assert float((real - lung_range(image)).detach().std()) == pytest.approx(veil, rel=0.05)
    assert float((fake - again).detach().std()) == pytest.approx(2**0.5 * veil, rel=0.05)


def test_adversarial_losses_are_those_of_goodfellow():
    real, fake = torch.randn(2, 9, generator=rng())
    p, q = real.sigmoid(), fake.sigmoid()
    wanted = -(p.log().mean() + (1 - q).log().mean())
    assert float(discriminator_cross_entropy(real, fake)) == pytest.approx(float(wanted), rel=1e-5)
    loss = non_saturating_generator(fake)
    assert float(loss) == pytest.approx(float(-q.log().mean()), rel=1e-5)


def test_range_of_lung():
    hu = torch.tensor([-1000.0, -300.0, 400.0])
    assert torch.allclose(lung_range(hu), torch.tensor([-1.0, 0.0, 1.0]))
    assert torch.allclose(from_lung_range(lung_range(hu)), hu)
    assert lung_range(torch.tensor([2000.0])) == 1


def test_a_teacher_of_real_patches_labels_its_pictures(labelled, quick):
    method = made("dcgan", labelled).eval()
    method.begin("train", labelled.train)
    with torch.no_grad():
        images, wanted = method.judges_batch(rng())
        _, guess = method.pictures_of(torch.zeros(5, dtype=torch.long), rng())
    assert images.shape == (32, 1, 32, 32) and torch.allclose(wanted.sum(1), torch.ones(32))
    assert ((guess > 0) & (guess < 1)).all()  # soft, not the label that was asked for
    assert set(wanted[:16].flatten().tolist()) == {0.0, 1.0}  # the real half


def test_each_step_makes_the_judge_learn_again(labelled, quick):
    method = made("dcgan", labelled).eval()
    method.begin("train", labelled.train)
    with torch.no_grad():
        first = method.judges()
    assert method.judges() is first
    method.after_step("generator")
    with torch.no_grad():
        assert method.judges() is not first


def test_networks_are_as_large_as_the_pictures(labelled):
    facts = labelled.facts | {"side": 64, "channels": 3}
    pair = catalogue.build("dcgan", width=4).fresh(facts).pair
    image = pair.generator(dcgan.noise(2))
    assert image.shape == (2, 3, 64, 64) and pair.discriminator(image).shape == (2,)
