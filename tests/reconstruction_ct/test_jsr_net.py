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


def entered(cases, batch):
    """The scanner of all views, u = FBP, y with zeros where nothing was measured, and the mask."""
    scan = scanner(cases.facts, complete=True)
    measured = torch.tensor(cases.facts.measured)
    data = torch.zeros(len(batch["fbp"]), 1, len(measured), batch["sinogram"].shape[-1])
    data[:, :, measured] = scan.data(batch["sinogram"])
    mask = measured.float()[:, None].expand_as(data)
    return scan, relative_attenuation(batch["fbp"]), data, mask


def test_jsr_net_gives_image_and_complete_sinogram_with_networks_for_each(cases):
    batch = cases.test.batch(slice(0, 2))
    method = JSRNet(rounds=2, growth=4).fresh(cases.facts)
    image, full = method._both(batch)
    assert image.shape == batch["target"].shape
    assert full.shape == (2, 1, few_views.VIEWS, batch["sinogram"].shape[-1])
    for stage in method.chain:
        for sparse in (stage.sparse_sinogram, stage.sparse_image):
            assert len(layers(sparse.shrink, nn.Conv2d)) == 3
            assert sparse.analysis.out_channels == 9
        for block in (stage.sinogram, stage.image):
            assert [layer[0].in_channels for layer in block.layers] == [3, 7, 11]  # dense


def test_jsr_net_measured_views_enter_every_stage_through_the_mask(cases):
    batch = cases.test.batch(slice(0, 1))
    scan, image, data, mask = entered(cases, batch)
    stage = JSRNet(rounds=1, growth=4).fresh(cases.facts).chain[0]
    with torch.no_grad():
        _, full, *_ = stage(scan, (image, None, 0.0, 0.0), data, mask)
    projected, trust = scan(image), stage.trust.sigmoid()
    seen, keep = mask.bool(), 1 + stage.blend[0]
    assert torch.allclose(full[~seen], projected[~seen], atol=1e-5)
    pulled = projected + keep * trust * (data - projected)
    assert torch.allclose(full[seen], pulled[seen], atol=1e-5)


def test_jsr_net_stages_bring_image_and_sinogram_together(cases):
    batch = cases.test.batch(slice(0, 1))
    scan = scanner(cases.facts, complete=True)
    stage = JSRNet(rounds=1, growth=4).fresh(cases.facts).chain[0]
    smooth = nn.functional.avg_pool2d(relative_attenuation(batch["target"]), 5, 1, 2)
    wanted, start = scan(smooth), 0.5 * smooth
    with torch.no_grad():
        image, *_ = stage(scan, (start, wanted, 0.0, 0.0), wanted, torch.ones_like(wanted))
        unmeasured, *_ = stage(scan, (start, wanted, 0.0, 0.0), wanted, 0 * wanted)
    before, after = (wanted - scan(start)).norm(), (wanted - scan(image)).norm()
    assert after < 0.3 * before
    assert (wanted - scan(unmeasured)).norm() < 1.01 * before  # f follows u where nothing is seen


def test_jsr_net_multipliers_remember_what_shrinkage_left(cases):
    sparse = JSRNet(rounds=1, growth=4).fresh(cases.facts).chain[0].sparse_image
    image, multiplier = torch.rand(1, 1, 16, 16), torch.rand(1, 9, 16, 16)
    with torch.no_grad():
        back, after = sparse(image, multiplier)
        maps = sparse.analysis(image)
        shrunk = sparse.shrink(maps + multiplier)
        assert torch.allclose(after, multiplier + maps - shrunk, atol=1e-6)
        # W's true adjoint: <W x, d> = <x, Wᵀ d>
        one, other = (maps * (shrunk - after)).sum(), (image * back).sum()
    assert float(one) == pytest.approx(float(other), rel=1e-3)


def test_jsr_net_loss_adds_pixels_measured_projections_and_structure(cases):
    batch = cases.train.batch(slice(0, 2))
    truth = relative_attenuation(batch["target"])
    values = {}
    for a, b in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        torch.manual_seed(0)
        method = JSRNet(1, 4, structural=a, radon=b).fresh(cases.facts)
        with torch.no_grad():
            ((player, loss),) = method.losses(batch)
        values[a, b] = float(loss)
    with torch.no_grad():
        image, _ = method._both(batch)
    pixels = float((image - truth).square().mean())
    assert player == "network" and values[0.0, 0.0] == pytest.approx(pixels, rel=1e-4)
    structure = 1 - float(ssim(image, truth, 2.0).mean())
    assert values[1.0, 0.0] - pixels == pytest.approx(structure, rel=1e-3)
    seen = scanner(cases.facts)(image) - scanner(cases.facts)(truth)  # measured views, of u alone
    radon = float(seen.square().sum() / truth.numel())
    assert values[0.0, 1.0] - pixels == pytest.approx(radon, rel=1e-3)


def test_jsr_net_curve_tells_the_terms_that_have_a_weight(cases):
    question, plan = few_views.QUESTION, Plan(1, 1, 1)
    for options, told in (
        ({}, {"image", "structural", "radon"}),
        ({"structural": 0.0}, {"image", "radon"}),
        ({"radon": 0.0}, {"image", "structural"}),
    ):
        method = catalogue.build("jsr_net", rounds=1, growth=4, **options)
        history = fit(method, question, cases, profile="smoke", seed=0, plan=plan, progress=False)
        assert set(history.curve[-1]["terms"]) == told
