"""AnoGAN: the search in latent space, and the score."""

import torch

from course_lib import catalogue, device
from course_lib.parts.augmentation import dcgan
from course_lib.parts.hounsfield import lung_range
from tests.look import layers


def made(healthy, **options):
    with device.seeded(0):
        return catalogue.build("anogan", **options).fresh(healthy.facts).eval()


def test_the_search_keeps_the_networks_frozen_and_comes_nearer(healthy):
    method = made(healthy, searches=40)
    for layer in layers(method.pair.generator, torch.nn.BatchNorm2d):  # as trained ones have it
        torch.nn.init.normal_(layer.bias, 0.0, 0.1)
    before = [p.detach().clone() for p in method.parameters()]
    query = lung_range(healthy.test["image"][:3])
    with torch.no_grad():
        z = method.search(query)
        origin = torch.zeros(3, dcgan.LATENT)
        start = method.distance(query, method.pair.generator(origin))
        found = method.distance(query, method.pair.generator(z))
    assert (found < start).all()
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    assert all(p.grad is None for p in method.parameters())
    assert made(healthy).searches >= 50


def test_residual_and_features_are_scored_not_the_verdict(healthy):
    method = made(healthy)
    assert method.weight == 0.1
    judge = method.pair.discriminator
    x, y = (lung_range(healthy.test["image"][k : k + 2]) for k in (0, 2))
    residual = (x - y).abs().sum((1, 2, 3))
    features = (judge.features(x) - judge.features(y)).abs().sum(1)
    distance = method.distance(x, y)
    assert torch.allclose(distance, 0.9 * residual + 0.1 * features, rtol=1e-4)
    judge.last.weight.data.zero_()  # the verdict's own weights play no part
    assert torch.equal(method.distance(x, y), distance)


def test_a_patchs_score_does_not_depend_on_its_neighbours(healthy):
    method = made(healthy, searches=5)
    with torch.no_grad():
        both = method.predict(healthy.test.batch(slice(0, 2)))["score"]
        alone = method.predict(healthy.test.batch(slice(1, 2)))["score"]
    assert torch.allclose(both[1:], alone, rtol=1e-4)
