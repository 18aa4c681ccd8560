"""MR reconstruction: who is tested, what is measured; and what makes each method itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue, device
from course_lib.errors import CourseError
from course_lib.methods.reconstruction_mr import admm_cs, deep_cascade
from course_lib.methods.reconstruction_mr.aliasing_unet import AliasingUNet
from course_lib.methods.reconstruction_mr.dagan import DAGAN, discriminator
from course_lib.methods.reconstruction_mr.deep_cascade import DeepCascade
from course_lib.methods.reconstruction_mr.kiki_net import KIKINet, emphasis
from course_lib.parts.reconstruction_mr.complex_channels import to_channels, to_complex
from course_lib.physics import mr
from course_lib.tasks.reconstruction_mr import few_samples as task

PARTS = ("train", "validation", "test")


@pytest.fixture
def cases(splits):
    return splits("reconstruction_mr")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def complex_noise(*shape, seed=0):
    return torch.complex(*torch.randn(2, *shape, generator=seeded(seed)))


# --- the task


def test_each_donor_is_in_one_part_only(cases):
    train, validation, test = (set(getattr(cases, part).subject) for part in PARTS)
    assert not (train & test or train & validation or validation & test)
    assert test == {*task.TEST_DONORS, "MNI152"}
    groups = dict(zip(cases.test.subject, cases.test.group, strict=True))
    assert groups["MNI152"] == task.AVERAGE


@pytest.mark.parametrize("name", task.ACQUISITIONS)
def test_samples_are_those_of_the_mask_and_hold_the_stated_noise(name):
    test = task.make(f"brain/{name}", "smoke", 0).test
    _, factor = task.parse(f"brain/{name}")
    mask, target = test["mask"], test["target"]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert float(1 / mask.mean()) == pytest.approx(factor, rel=0.1)
    assert not (test["kspace"] * (1 - mask)).abs().any()
    error = (test["kspace"] - mr.forward(target, mask))[mask > 0]
    assert float(error.real.std()) == pytest.approx(1 / task.SNR, rel=0.05)
    assert torch.allclose(test["zero_filled"], mr.ifft2c(test["kspace"]), atol=1e-5)
    if name.startswith("cartesian"):  # whole lines: columns are all or nothing
        assert (mask.amax(2) == mask.amin(2)).all()


def test_the_target_has_a_phase_that_training_never_flattens(cases):
    batch = task.sample(cases.train, "smoke", 4, seeded())
    for target in (batch["target"], cases.test["target"]):
        bright = target.abs() > 0.5 * target.abs().amax((2, 3), keepdim=True)
        assert target.imag[bright].abs().max() > 0.2
    assert not (batch["kspace"] * (1 - batch["mask"])).abs().any()


def test_every_training_batch_is_measured_anew(cases):
    one = task.sample(cases.train.subset([0]), "smoke", 2, seeded(0))
    assert not torch.equal(one["kspace"][0], one["kspace"][1])


def test_the_seed_decides_and_repeats():
    again, first, other = (task.make.__wrapped__("brain/radial_x6", "smoke", s) for s in (0, 0, 1))
    assert torch.equal(again.test["kspace"], first.test["kspace"])
    assert not torch.equal(other.test["kspace"], first.test["kspace"])


def test_scores_of_the_truth_and_of_a_known_error(cases):
    batch = cases.test.tensors
    best = task.score(batch["target"], batch)
    assert torch.isinf(best["psnr"]).all() and torch.allclose(best["ssim"], torch.ones(3))
    assert (best["nmse"] == 0).all() and (best["data_residual"] > 0).all()
    turned = task.score(batch["target"] * torch.polar(torch.tensor(1.0), torch.tensor(0.7)), batch)
    assert (turned["nmse"] < 1e-10).all(), "magnitudes are scored"
    assert (turned["data_residual"] > 50).all(), "the data know the phase"
    assert torch.allclose(task.score(0.9 * batch["target"], batch)["nmse"], torch.tensor(0.01))


def test_own_magnitudes_get_a_phase_and_ct_is_refused(tmp_path):
    import nibabel

    draw = np.random.default_rng(0)
    for name in "abc":
        volume = draw.random((40, 50, 9), np.float32)
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([2, 2, 3, 1])), tmp_path / f"{name}.nii")
    splits = catalogue.task("reconstruction_mr").splits(f"path:{tmp_path}", "smoke", 0)
    subjects = [set(getattr(splits, part).subject) for part in PARTS]
    assert len(set.union(*subjects)) == 3 == sum(map(len, subjects))
    assert splits.test["target"].shape[1:] == (1, 64, 64)
    assert splits.test["target"].imag.abs().max() > 0.1
    nibabel.save(nibabel.Nifti1Image(volume * -2000, np.eye(4)), tmp_path / "d.nii")
    with pytest.raises(CourseError, match="HU"):
        catalogue.task("reconstruction_mr").splits(f"path:{tmp_path}", "smoke", 0)


# --- the methods: the catalogue's faithful minimum


def test_admm_gradient_has_its_adjoint_and_its_spectrum():
    x, e = complex_noise(2, 1, 8, 6), complex_noise(2, 2, 8, 6, seed=1)
    left = (admm_cs.gradient(x).conj() * e).sum()
    right = (x.conj() * admm_cs.adjoint_gradient(e)).sum()
    assert torch.allclose(left, right, atol=1e-3)
    twice = admm_cs.adjoint_gradient(admm_cs.gradient(x))
    assert torch.allclose(mr.fft2c(twice), admm_cs.spectrum((8, 6)) * mr.fft2c(x), atol=1e-4)


def test_admm_steps_are_exact_and_the_objective_falls(cases):
    batch = cases.test.batch(slice(0, 1))
    method = admm_cs.ADMMCS()
    method.iterations = 400
    image, history = method.solve(batch["kspace"], batch["mask"])
    values = torch.stack(history)[:, 0]
    assert values[-1] < 0.9 * values[0] and values[50] > values[-1]
    for _ in range(5):  # nothing nearby is better
        other = image + 0.003 * complex_noise(*image.shape)
        assert method.objective(other, batch["kspace"], batch["mask"]) > values[-1]
    method.weight, method.iterations = 0.0, 3  # without a prior the data are met exactly
    image, _ = method.solve(batch["kspace"], batch["mask"])
    assert torch.allclose(batch["mask"] * mr.fft2c(image), batch["kspace"], atol=1e-4)


def test_aliasing_unet_learns_the_artefact_and_its_twin_the_picture(cases):
    batch = task.sample(cases.train, "smoke", 2, seeded())
    given, truth = batch["zero_filled"].abs(), batch["target"].abs()
    for target, wanted in (("artefact", given - truth), ("image", truth)):
        method = AliasingUNet(target=target)
        method.forward = lambda x, wanted=wanted: wanted
        ((_, loss),) = method.losses(batch)
        assert float(loss) == 0
        assert torch.allclose(method.predict(batch).abs(), truth, atol=1e-5)
    with pytest.raises(CourseError, match="artefact"):
        AliasingUNet(target="phase")


def test_aliasing_unet_has_scales_and_shortcuts_and_its_opponent_has_not():
    paper, single = AliasingUNet(), AliasingUNet(scales=1)
    assert len(layers(paper, nn.MaxPool2d)) == 4 and not layers(single, nn.MaxPool2d)
    wide = [layer.in_channels for layer in layers(paper, nn.Conv2d)]
    assert 2 * 16 in wide, "the finest shortcut is concatenated at full resolution"
    with pytest.raises(CourseError, match="scales"):
        AliasingUNet(scales=3)

    def reach(method):  # how many columns feel one pixel
        picture = torch.zeros(1, 1, 64, 64)
        other = picture.clone()
        other[..., 32, 32] = 1
        method.eval()
        with torch.no_grad():
            return int(((method(picture) - method(other)).abs() > 1e-9).any(2).sum())

    assert reach(single) <= 17 < reach(paper)


def test_cascade_puts_samples_back_exactly_when_noiseless(cases):
    batch = cases.test.batch(slice(0, 2))
    with device.seeded(0):
        noiseless, noisy = DeepCascade(noiseless=True), DeepCascade()
        free = DeepCascade(consistent=False)
    free.blocks = noiseless.blocks = noisy.blocks
    with torch.no_grad():
        residual = [
            float((batch["mask"] * mr.fft2c(m.predict(batch)) - batch["kspace"]).abs().max())
            for m in (noiseless, noisy, free)
        ]
    assert residual[0] < 1e-4 < residual[1] < residual[2]
    assert noiseless.trust is None and noisy.trust.requires_grad


def test_cascade_blocks_are_residual_and_their_own():
    method = DeepCascade(cascades=3, depth=5, width=8)
    assert len(method.blocks) == 3
    assert all(len(layers(block, nn.Conv2d)) == 5 for block in method.blocks)
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights)) == 3 * 10 + 1
    block = method.blocks[0]
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    picture = complex_noise(2, 1, 8, 8)
    assert torch.equal(block(picture, []), picture)


def test_dynamic_cascade_shares_lines_of_neighbouring_frames():
    mask = torch.zeros(1, 4, 8, 8)
    for frame in range(4):
        mask[:, frame, :, frame::4] = 1
    still = complex_noise(1, 1, 8, 8).expand(1, 4, 8, 8)  # nothing moves
    kspace = mask * mr.fft2c(still)
    shared = deep_cascade.data_sharing(kspace, mask, 2)
    assert torch.allclose(shared, mr.fft2c(still), atol=1e-5), "two neighbours fill every line"
    near = deep_cascade.data_sharing(kspace, mask, 1)
    assert torch.allclose(near[mask > 0], kspace[mask > 0])
    assert (near[:, 0, :, 2] == 0).all() and near[:, 0, :, 1].abs().min() > 0
    method = DeepCascade(cascades=2, depth=3, width=4, dynamic=True, noiseless=True)
    assert len(layers(method, nn.Conv3d)) == 6 and not layers(method, nn.Conv2d)
    assert method.blocks[0].layers[0].in_channels == 2 * (1 + len(method.windows))
    output = method(kspace, mask)
    assert output.shape == kspace.shape
    assert torch.allclose(mask * mr.fft2c(output), kspace, atol=1e-4)


def test_kiki_has_four_networks_in_turn_and_data_between(cases):
    batch, method = cases.test.batch(slice(0, 1)), KIKINet(layers=3, width=4)
    assert [stage.name for stage in method.stages] == ["K0", "I1", "K2", "I3"]
    weights = [id(p) for p in method.parameters()]
    assert len(weights) == len(set(weights)) == 4 * 6
    seen = []
    for network in method.networks:
        network.register_forward_hook(lambda m, given, out: seen.append(given[0]))
    with torch.no_grad():
        output = method.eval().predict(batch)
    weight = emphasis(batch["kspace"].shape[-2:])
    scale = (weight * batch["kspace"]).abs().square().mean().sqrt()
    third = to_complex(seen[2]) / weight * scale  # what the second K-network sees
    assert torch.allclose(batch["mask"] * third, batch["kspace"], atol=1e-3)
    assert torch.allclose(batch["mask"] * mr.fft2c(output), batch["kspace"], atol=1e-3)


def test_kiki_trains_one_network_at_a_time(cases):
    batch, method = task.sample(cases.train, "smoke", 2, seeded()), KIKINet(layers=3, width=4)
    for number, stage in enumerate(method.stages):
        method.stage = stage.name
        playing = list(method.players()["network"])
        assert [id(p) for p in playing] == [id(p) for p in method.networks[number].parameters()]
        method.zero_grad()
        ((_, loss),) = method.train().losses(batch)
        loss.backward()
        moved = [any(p.grad is not None for p in net.parameters()) for net in method.networks]
        assert moved == [k == number for k in range(4)]


def test_kiki_sees_k_space_of_any_brightness_alike(cases):
    batch = cases.test.batch(slice(0, 1))
    seen = []
    method = KIKINet(layers=3, width=4).eval()
    method.networks[0].register_forward_hook(lambda m, given, out: seen.append(given[0]))
    with torch.no_grad():
        for factor in (1.0, 50.0):
            method(factor * batch["kspace"], batch["mask"])
    assert torch.allclose(seen[0], seen[1], rtol=1e-3, atol=1e-4)
    plain = batch["kspace"].abs().max() / batch["kspace"].abs().square().mean().sqrt()
    weighted = to_complex(seen[0])
    assert weighted.abs().max() / weighted.abs().square().mean().sqrt() < plain / 2
    assert torch.equal(to_complex(to_channels(weighted)), weighted)


def test_dagan_refines_its_input_and_clips():
    generator = DAGAN(perceptual=0).generator
    picture = torch.rand(2, 1, 32, 32, generator=seeded()) * 2 - 1
    assert torch.equal(generator(picture), picture), "untrained, nothing is missing"
    nn.init.constant_(generator.last.bias, 10.0)
    assert torch.equal(generator(picture), (picture + 1).clamp(-1, 1))
    assert layers(generator, nn.ConvTranspose2d) and layers(generator, nn.BatchNorm2d)


def test_dagan_weighs_its_four_terms(cases):
    batch = task.sample(cases.train, "smoke", 2, seeded())
    method = DAGAN().train()
    assert (method.pixel, method.frequency, method.adversarial) == (15, 0.1, 1)
    given, scale = method._scaled(batch)
    real = (2 * batch["target"].abs() / scale - 1).clamp(-1, 1)
    whole = float(method._generator_loss(given, real))
    terms = {}
    for name in ("pixel", "frequency", "perceptual", "adversarial"):
        weight, _kept = (
            getattr(method, name),
            method.features,
        )
        features, critic = method.features, method.discriminator
        setattr(method, name, 0.0)
        if name == "perceptual":
            method.features = None
        if name == "adversarial":
            method.discriminator = None
        terms[name] = whole - float(method._generator_loss(given, real))
        method.features, method.discriminator = features, critic
        setattr(method, name, weight)
    error = (given - real).square().flatten(1).sum(1) / real.square().flatten(1).sum(1)
    assert terms["pixel"] == pytest.approx(15 * float(error.mean()), rel=1e-3)
    spectra = [torch.fft.fft2(x, norm="ortho").abs() for x in (given, real)]
    expected = 0.1 * float((spectra[0] - spectra[1]).square().mean())
    assert terms["frequency"] == pytest.approx(expected, rel=1e-2)
    assert terms["perceptual"] > 0 and terms["adversarial"] > 0


def test_dagan_discriminates_with_cross_entropy_and_never_asks_the_data(cases):
    batch = task.sample(cases.train, "smoke", 2, seeded())
    method = DAGAN(perceptual=0).train()
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
