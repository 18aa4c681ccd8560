"""CT reconstruction: who is tested, what the scans contain; and what makes each method itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.methods.reconstruction_ct import learned_primal_dual as lpd
from course_lib.methods.reconstruction_ct import tv_reconstruction as tv
from course_lib.methods.reconstruction_ct.fbp import FBP
from course_lib.methods.reconstruction_ct.fbp_conv_net import FBPConvNet
from course_lib.methods.reconstruction_ct.jsr_net import JSRNet
from course_lib.metrics.image import ssim
from course_lib.parts.hounsfield import hounsfield, relative_attenuation
from course_lib.parts.reconstruction_ct.scanner import Scanner, scanner
from course_lib.physics import ct, phantoms
from course_lib.tasks import ct_scans
from course_lib.tasks.reconstruction_ct import few_views as task


@pytest.fixture
def cases(splits):
    return splits("reconstruction_ct")


@pytest.fixture
def limited():
    return task.make("chest_ct/120_degrees", "smoke", 0)


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def phantom(size):
    """Shepp and Logan's head as relative attenuation, (1, 1, size, size)."""
    return phantoms.rasterise(phantoms.shepp_logan(), size).float().reshape(1, 1, size, size)


# --- the task


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    others = [
        s
        for s, g in zip(cases.test.subject, cases.test.group, strict=True)
        if g == ct_scans.OTHER_PATIENTS
    ]
    assert len(set(others)) == 4 and not known & set(others)
    again = [g for g, s in zip(cases.test.group, cases.test.subject, strict=True) if s in known]
    assert set(again) == {ct_scans.SAME_PATIENT}


def test_the_seed_decides_the_noise_and_nothing_else(cases):
    # Held in names of their own: `make` keeps the latest cases only.
    again, other = (task.make("chest_ct+lung_tumours/30_views", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.train["sinogram"], cases.train["sinogram"])
    assert not torch.equal(other.train["sinogram"], cases.train["sinogram"])
    assert torch.equal(other.test["target"], cases.test["target"])
    assert other.test.case == cases.test.case


@pytest.mark.parametrize(
    ("name", "views", "arc"),
    [("30_views", 30, 174), ("60_views", 60, 177), ("15_views", 15, 168), ("120_degrees", 80, 118)],
)
def test_data_sets_are_named_after_what_is_measured(name, views, arc):
    assert f"chest_ct/{name}" in task.TASK.sources
    degrees = ct.angles(task.VIEWS)[task.ACQUISITIONS[name]]
    assert len(degrees) == views and int(degrees.max() - degrees.min()) == arc
    assert torch.equal(degrees.float().double(), degrees)  # batches hold them as float32


def test_sinogram_holds_measured_views_only(cases, limited):
    for part in (cases.test, limited.test):
        assert part["sinogram"].shape[2] == part["measured"][0].sum()
    steps = limited.test["measured"][0].float().diff()
    assert steps.abs().sum() == 1  # one arc


def test_noise_is_that_of_the_counted_photons(cases):
    batch = cases.test.batch(slice(0, 2))
    scan = scanner(batch)
    clean = scan(relative_attenuation(batch["target"])) * ct.MU_WATER * scan.norm
    noise = (batch["sinogram"] - clean).flatten()
    thick = clean.flatten() > clean.quantile(0.9)
    assert noise[thick].std() > 0.5 / task.PHOTONS**0.5
    assert noise.mean().abs() < 0.05


def test_no_image_on_the_grid_explains_noiseless_data_exactly():
    """No inverse crime: the scan comes from a finer grid than the one of the target."""
    fine = hounsfield(phantom(64))
    region = torch.tensor([0, 0, 64, 64])
    scan_of = task._scan(
        fine, region, slice(0, 120, 4), torch.Generator().manual_seed(0), ["a"], "a", "test"
    )
    scan = scanner(scan_of.tensors)
    residual = scan(relative_attenuation(scan_of["target"])) - scan.data(scan_of["sinogram"])
    assert 0.001 < residual.norm() / scan.data(scan_of["sinogram"]).norm() < 0.05


def test_the_sinogram_lies_where_the_image_is(cases):
    """Detector pairs of the fine scanner are the coarse scanner's detectors: FBP is not shifted."""
    batch = cases.test.batch(slice(0, 2))
    error = []
    for shift in (-1, 0, 1):
        moved = torch.roll(batch["fbp"], shift, dims=-1)
        error.append(float((moved - batch["target"]).square().mean()))
    assert error[1] == min(error)


def test_copies_are_of_training_slices_and_half_lie_in_the_made_up_chest():
    truth = torch.full((3, 1, 64, 64), -1000.0)
    truth[..., 16:48, 12:52] = 50.0
    generator = torch.Generator().manual_seed(0)
    whole = task._copy(truth, 360 / 64, False, generator)
    assert not torch.equal(whole, truth) and not torch.equal(whole[0], whole[1])
    assert whole.min() >= -1000 and whole.max() <= 50.001
    cropped = task._copy(truth, 360 / 64, True, generator)
    chest = ct_scans.elliptical_chest(64, 360 / 64)[0]
    changed = (cropped - chest).abs().amax(dim=(0, 1)) > 1e-3
    rows, columns = changed.nonzero().T
    assert rows.min() >= 13 and columns.min() >= 13  # at most 200 mm in the middle
    assert rows.max() <= 50 and columns.max() <= 50


def test_perfect_and_spoiled_predictions(cases):
    batch = cases.test.batch(slice(0, 2))
    perfect = task.score(batch["target"], batch)
    assert torch.isinf(perfect["psnr"]).all() and (perfect["data_residual"] < 3).all()
    spoiled = task.score(batch["target"] + 100, batch)
    assert (spoiled["psnr"] < 30).all()
    assert (spoiled["data_residual"] > 2 * perfect["data_residual"]).all()


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 3))
    panels = task.pictures(batch["fbp"], batch)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["input"].values, panels["output"].values)
    assert torch.equal(panels["error"].values, panels["output"].values - panels["truth"].values)


# --- the scanner that methods share


@pytest.mark.parametrize("complete", [False, True])
def test_the_scaled_scanner_has_norm_one_and_an_exact_adjoint(cases, complete):
    scan = scanner(cases.test.batch(slice(0, 1)), complete)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 64, 64, generator=generator)
    y = torch.randn(scan(x).shape, generator=generator)
    assert float((scan(x) * y).sum()) == pytest.approx(float((x * scan.adjoint(y)).sum()), rel=1e-3)
    for _ in range(30):
        x = scan.adjoint(scan(x / x.norm()))
    assert float(x.norm()) == pytest.approx(1, abs=0.01)


def test_the_scanner_measures_relative_attenuation(cases):
    batch = cases.test.batch(slice(0, 1))
    scan, hu = scanner(batch), batch["target"]
    direct = scan.beam(ct.hu_to_attenuation(hu))
    assert torch.allclose(scan(relative_attenuation(hu)), scan.data(direct), atol=1e-4)


# --- the methods: the catalogue's faithful minimum


def complete_scan(size=64, views=180):
    image = phantom(size)
    scan = Scanner(ct.ParallelBeam(size, views, 1.0))
    return scan, image, scan(image)


def test_fbp_of_a_complete_scan_is_the_phantom_and_unfiltered_is_not():
    scan, image, data = complete_scan()
    smooth = nn.functional.avg_pool2d(image, 5, 1, 2)
    assert (scan.fbp(scan(smooth)) - smooth).square().mean().sqrt() < 0.03
    plain = scan.adjoint(data)
    plain = plain * (image.sum() / plain.sum())
    assert (plain - image).square().mean() > 4 * (scan.fbp(data) - image).square().mean()


def test_fbp_predicts_what_the_batch_holds(cases):
    batch = cases.test.batch(slice(0, 2))
    assert torch.allclose(FBP().predict(batch), batch["fbp"], atol=0.1)


def test_fbp_is_differentiable():
    scan, _, data = complete_scan(32, 20)
    data = data.clone().requires_grad_()
    scan.fbp(data).square().sum().backward()
    assert data.grad.abs().max() > 0


def test_tv_gradient_and_divergence_are_adjoint_and_its_norm_is_known():
    generator = torch.Generator().manual_seed(0)
    x, e = (
        torch.randn(2, 1, 9, 7, generator=generator),
        torch.randn(2, 2, 9, 7, generator=generator),
    )
    left, right = (tv.gradient(x) * e).sum(), -(x * tv.divergence(e)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-4)
    for _ in range(200):
        x = -tv.divergence(tv.gradient(x / x.norm()))
    assert float(x.norm()) <= tv.GRADIENT_NORM**2


def test_tv_reaches_the_minimum_of_its_objective():
    scan, image, data = complete_scan(32, 12)
    method = tv.TVReconstruction()
    method.weight = 0.003

    def objective(x):
        return (
            0.5 * (scan(x) - data).square().sum() + method.weight * tv.gradient(x).norm(dim=1).sum()
        )

    values = []
    for method.iterations in (20, 300, 1500):
        values.append(float(objective(method.solve(scan, data, torch.zeros_like(image)))))
    assert values[0] > values[1] >= 0.999 * values[2]
    assert values[1] == pytest.approx(values[2], rel=0.02)
    solution = method.solve(scan, data, torch.zeros_like(image))
    assert solution.min() >= 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):  # nothing nearby is better
        other = (solution + 0.01 * torch.randn(image.shape, generator=generator)).clamp_min(0)
        assert objective(other) > objective(solution)


def test_learned_primal_dual_has_networks_of_its_own_in_both_spaces():
    method = lpd.LearnedPrimalDual(iterations=4, width=8)
    assert len(method.dual) == len(method.primal) == 4
    weights = [id(p) for p in method.parameters()]
    assert len(set(weights)) == len(weights) == 2 * 4 * 8  # three convolutions, two PReLUs each
    for block in (*method.dual, *method.primal):
        assert len(layers(block, nn.Conv2d)) == 3 and len(layers(block, nn.PReLU)) == 2
        assert block[-1].out_channels == lpd.MEMORY == 5


def test_learned_primal_dual_starts_from_zero_and_never_sees_fbp(cases):
    batch = cases.test.batch(slice(0, 1))
    seen = []
    method = lpd.LearnedPrimalDual(iterations=2, width=8)
    method.dual[0].register_forward_hook(lambda m, i, o: seen.append(i[0]))
    with torch.no_grad():
        first = method.predict(batch)
        other = method.predict(batch | {"fbp": torch.randn_like(batch["fbp"])})
    assert torch.equal(first, other)
    assert not seen[0][:, :6].any() and seen[0][:, 6].any()  # states and their projection, then y


def test_learned_primal_dual_gradients_pass_the_projector_and_its_adjoint(cases):
    batch = cases.test.batch(slice(0, 1))
    method = lpd.LearnedPrimalDual(iterations=2, width=8)
    scan = scanner(batch)
    data = scan.data(batch["sinogram"]).requires_grad_()
    method(scan, data)[0, 0, 32, 32].backward()
    assert (data.grad.abs().amax(dim=(0, 1, 3)) > 0).all()  # one pixel hears from every view


def test_learned_primal_dual_starts_as_filtered_gradient_descent(cases):
    batch = cases.test.batch(slice(0, 1))
    scan = scanner(batch)
    data = scan.data(batch["sinogram"])
    method = lpd.LearnedPrimalDual(iterations=3, width=8)
    kernel = lpd.GAIN * torch.tensor([[[[-0.12, 0.25, -0.12]]]])
    image = torch.zeros_like(batch["target"])
    for _ in range(3):
        filtered = nn.functional.conv2d(data - scan(image), kernel, padding=(0, 1))
        image = image + scan.adjoint(filtered)
    with torch.no_grad():
        assert torch.allclose(method(scan, data), image, atol=1e-3)


def test_learned_primal_dual_clips_its_gradients():
    method = lpd.LearnedPrimalDual(iterations=1, width=4)
    parameters = list(method.parameters())
    optimiser = method.optimiser("network", parameters)
    for p in parameters:
        p.grad = torch.full_like(p, 10.0)
    optimiser.step()
    assert float(torch.stack([p.grad.norm() for p in parameters]).norm()) == pytest.approx(1, 1e-3)
    assert optimiser.defaults["betas"] == (0.9, 0.99)


def test_jsr_net_gives_image_and_complete_sinogram_with_a_network_for_each(cases):
    batch = cases.test.batch(slice(0, 2))
    method = JSRNet(stages=2, width=4)
    image, full = method._both(batch)
    assert image.shape == batch["target"].shape
    assert full.shape == (2, 1, task.VIEWS, batch["sinogram"].shape[-1])
    for stage in method.rounds:
        assert len(layers(stage.sinogram, nn.Conv2d)) == len(layers(stage.image, nn.Conv2d)) == 3


def silenced(method):
    """The method without what its networks add."""
    for stage in method.rounds:
        for network in (stage.sinogram, stage.image):
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)
    return method


def test_jsr_net_measured_views_enter_every_stage_through_the_mask(cases):
    batch = cases.test.batch(slice(0, 1))
    method, scan = silenced(JSRNet(stages=1, width=4)), scanner(batch, complete=True)
    image = relative_attenuation(batch["fbp"])
    mask = batch["measured"][0].float()[:, None].expand(1, 1, -1, batch["sinogram"].shape[-1])
    data = torch.rand(mask.shape, generator=torch.Generator().manual_seed(0))
    stage = method.rounds[0]
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
    scan = scanner(batch, complete=True)
    stage = silenced(JSRNet(stages=1, width=4)).rounds[0]
    smooth = nn.functional.avg_pool2d(relative_attenuation(batch["target"]), 5, 1, 2)
    wanted = scan(smooth)
    with torch.no_grad():
        image, full = stage(scan, 0.5 * smooth, wanted, torch.ones_like(wanted))
    before, after = (wanted - scan(0.5 * smooth)).norm(), (full - scan(image)).norm()
    assert after < 0.2 * before


def test_jsr_net_loss_adds_pixels_structure_and_sinogram(splits):
    batch = splits("reconstruction_ct").train.batch(slice(0, 2))
    truth = relative_attenuation(batch["target"])
    with torch.no_grad():
        values = {}
        for a, b in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
            torch.manual_seed(0)
            method = JSRNet(1, 4, structural=a, radon=b)
            ((player, loss),) = method.losses(batch)
            values[a, b] = float(loss)
        image, full = method._both(batch)
        wanted = scanner(batch, complete=True)(truth)
    pixels = float((image - truth).square().mean())
    assert player == "network" and values[0.0, 0.0] == pytest.approx(pixels, rel=1e-4)
    structure = 1 - float(ssim(image, truth, 2.0).mean())
    assert values[1.0, 0.0] - pixels == pytest.approx(structure, rel=1e-3)
    radon = float((full - wanted).square().mean())
    assert values[0.0, 1.0] - pixels == pytest.approx(radon, rel=1e-3)


def test_fbp_conv_net_adds_a_u_net_with_skips_to_fbp_and_never_sees_the_sinogram(cases):
    batch = cases.test.batch(slice(0, 1))
    method = FBPConvNet().eval()
    assert len(layers(method.network, nn.MaxPool2d)) == 4
    assert layers(method.network, nn.BatchNorm2d) and not layers(method.network, nn.InstanceNorm2d)
    with torch.no_grad():
        first = method.predict(batch)
        other = method.predict(batch | {"sinogram": torch.zeros_like(batch["sinogram"])})
        assert torch.equal(first, other)
        for parameter in method.network.parameters():
            parameter.zero_()
        assert torch.allclose(method.predict(batch), batch["fbp"], atol=0.1)


def test_fbp_conv_net_looks_as_far_as_streaks_reach():
    method = FBPConvNet().eval()
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    method.network(image)[0, 0, 32, 32].backward()
    rows = np.flatnonzero(image.grad[0, 0].abs().sum(1).numpy())
    assert rows.max() - rows.min() > 48


def test_learned_reconstructions_are_listed_with_their_reference():
    refs = {e.id: e.ref for e in catalogue.methods("reconstruction_ct") if not e.baseline}
    assert refs == {"fbp_conv_net": None, "learned_primal_dual": 20, "jsr_net": 22}
