"""JSR-Net: what makes it itself."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.fit import fit
from course_lib.methods.reconstruction_ct.jsr_net import JSRNet
from course_lib.metrics.image import ssim
from course_lib.parts.hounsfield import relative_attenuation
from course_lib.parts.scanner import scanner
from course_lib.tasks.base import Plan
from course_lib.tasks.reconstruction_ct import few_views
from tests.look import layers


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


def silenced(method):
    """The method without what its networks add."""
    for stage in method.chain:
        for network in (stage.sinogram, stage.image):
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)
    return method


def test_jsr_net_gives_image_and_complete_sinogram_with_a_network_for_each(cases):
    batch = cases.test.batch(slice(0, 2))
    method = JSRNet(rounds=2, width=4).fresh(cases.facts)
    image, full = method._both(batch)
    assert image.shape == batch["target"].shape
    assert full.shape == (2, 1, few_views.VIEWS, batch["sinogram"].shape[-1])
    for stage in method.chain:
        assert len(layers(stage.sinogram, nn.Conv2d)) == len(layers(stage.image, nn.Conv2d)) == 3


def test_jsr_net_measured_views_enter_every_stage_through_the_mask(cases):
    batch = cases.test.batch(slice(0, 1))
    method, scan = (
        silenced(JSRNet(rounds=1, width=4).fresh(cases.facts)),
        scanner(cases.facts, complete=True),
    )
    image = relative_attenuation(batch["fbp"])
    measured = torch.tensor(cases.facts.measured)
    mask = measured.float()[:, None].expand(1, 1, -1, batch["sinogram"].shape[-1])
    data = torch.rand(mask.shape, generator=torch.Generator().manual_seed(0))
    stage = method.chain[0]
    with torch.no_grad():
        _, full = stage(scan, image, data * mask, mask)
        _, other = stage(scan, image, data, mask)
    assert torch.equal(full, other)  # what the mask hides does not count
    projected, trust = scan(image), stage.trust.sigmoid()
    seen = mask.bool()
    assert torch.allclose(full[~seen], projected[~seen])
    assert torch.allclose(full[seen], (projected + trust * (data - projected))[seen], atol=1e-5)


def test_jsr_net_stages_bring_image_and_sinogram_together(cases):
    batch = cases.test.batch(slice(0, 1))
    scan = scanner(cases.facts, complete=True)
    stage = silenced(JSRNet(rounds=1, width=4).fresh(cases.facts)).chain[0]
    smooth = nn.functional.avg_pool2d(relative_attenuation(batch["target"]), 5, 1, 2)
    wanted = scan(smooth)
    with torch.no_grad():
        image, full = stage(scan, 0.5 * smooth, wanted, torch.ones_like(wanted))
    before, after = (wanted - scan(0.5 * smooth)).norm(), (full - scan(image)).norm()
    assert after < 0.2 * before


def test_jsr_net_loss_adds_pixels_structure_and_sinogram(cases):
    batch = cases.train.batch(slice(0, 2))
    truth = relative_attenuation(batch["target"])
    with torch.no_grad():
        values = {}
        for a, b in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
            torch.manual_seed(0)
            method = JSRNet(1, 4, structural=a, radon=b).fresh(cases.facts)
            ((player, loss),) = method.losses(batch)
            values[a, b] = float(loss)
        image, full = method._both(batch)
        wanted = scanner(cases.facts, complete=True)(truth)
    pixels = float((image - truth).square().mean())
    assert player == "network" and values[0.0, 0.0] == pytest.approx(pixels, rel=1e-4)
    structure = 1 - float(ssim(image, truth, 2.0).mean())
    assert values[1.0, 0.0] - pixels == pytest.approx(structure, rel=1e-3)
    radon = float((full - wanted).square().mean())
    assert values[0.0, 1.0] - pixels == pytest.approx(radon, rel=1e-3)


def test_jsr_net_curve_tells_the_terms_that_have_a_weight(cases):
    question, plan = few_views.QUESTION, Plan(1, 1, 1)
    for options, told in (
        ({}, {"image", "structural", "radon"}),
        ({"structural": 0.0}, {"image", "radon"}),
        ({"radon": 0.0}, {"image", "structural"}),
    ):
        method = catalogue.build("jsr_net", rounds=1, width=4, **options)
        history = fit(method, question, cases, profile="smoke", seed=0, plan=plan, progress=False)
        assert set(history.curve[-1]["terms"]) == told
