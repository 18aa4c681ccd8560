"""The denoising task: who is tested, what the scans contain; and what makes each method itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.methods.denoising.bm3d import BM3D, power_spectrum
from course_lib.methods.denoising.cnn_dae import CNNDAE
from course_lib.methods.denoising.median import Median
from course_lib.methods.denoising.red_cnn import REDCNN
from course_lib.methods.denoising.wgan_vgg import WGANVGG, critic, generator
from course_lib.tasks import ct_scans, denoising


@pytest.fixture
def cases(splits):
    return splits("denoising")


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


# --- the task


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    others = [i for i, g in enumerate(cases.test.group) if g == ct_scans.OTHER_PATIENTS]
    assert len({cases.test.subject[i] for i in others}) == 4
    assert not known & {cases.test.subject[i] for i in others}
    again = [g for g, s in zip(cases.test.group, cases.test.subject, strict=True) if s in known]
    assert set(again) == {ct_scans.SAME_PATIENT}


@pytest.mark.parametrize("profile", denoising.SIZES)
def test_blocks_of_the_training_patient_lie_a_centimetre_apart(profile):
    size = denoising.SIZES[profile]
    used = [
        set(ct_scans.training_slices(size.every)),
        set(ct_scans.spread(*ct_scans.VALIDATION_BLOCK, size.validation_slices)),
        set(ct_scans.middle(*ct_scans.TEST_BLOCK, size.block_slices)),
    ]
    for i, first in enumerate(used):
        for second in used[i + 1 :]:
            assert min(abs(a - b) for a in first for b in second) * 2.5 >= 10


def test_the_seed_decides_the_noise_and_nothing_else(cases):
    again, other = (denoising.make("chest_ct", "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.train["low_dose"], cases.train["low_dose"])
    assert not torch.equal(other.train["low_dose"], cases.train["low_dose"])
    assert other.train.case == cases.train.case
    assert set(other.test.group) == {ct_scans.SAME_PATIENT}  # without lung_tumours


def test_parts_do_not_share_their_noise(cases):
    noise = [(p["low_dose"] - p["normal_dose"])[0] for p in (cases.train, cases.validation)]
    assert not torch.equal(*noise)


def test_less_dose_is_more_noise_and_the_same_patient(cases):
    difference = cases.test["low_dose"] - cases.test["normal_dose"]
    top, left, bottom, right = cases.test["region"][0].tolist()
    inside = difference[0, 0, top:bottom, left:right]
    assert inside.std() > 15
    assert inside.mean().abs() < 0.2 * inside.std()


def test_exposure_control_lets_the_same_photons_arrive():
    thin, thick = (torch.rand(1, 1, 30, 40) * p for p in (2.0, 6.0))
    sinograms = torch.cat([thin, thick])
    sent = ct_scans.exposure(sinograms, 500.0)
    arriving = (sent * torch.exp(-sinograms)).flatten(1).quantile(0.05, dim=1)
    assert arriving.tolist() == pytest.approx([500, 500], rel=0.02)
    assert sent[1] > 10 * sent[0]


def test_the_stack_holds_the_slice_between_its_neighbours(cases):
    test = cases.test
    assert torch.equal(test["low_dose_stack"][:, 1:2], test["low_dose"])
    block = [i for i, g in enumerate(test.group) if g == ct_scans.SAME_PATIENT]
    first, second = block[:2]
    assert torch.equal(test["low_dose_stack"][second, 0], test["low_dose"][first, 0])
    assert torch.equal(test["low_dose_stack"][first, 0], test["low_dose"][first, 0])  # an end
    train = cases.train  # every twelfth slice: nobody has a neighbour
    assert torch.equal(train["low_dose_stack"][:, 0], train["low_dose"][:, 0])


def test_only_the_scored_region_counts(cases):
    batch = cases.test.batch(slice(0, 2))
    target = batch["normal_dose"]
    perfect = denoising.score(target, batch)
    assert torch.isinf(perfect["psnr"]).all()
    texture = perfect["nps_distance"]  # undefined where such small images show no flat tissue
    assert texture[0].abs() < 1e-3 and torch.nan_to_num(texture).abs().max() < 1e-3
    spoiled = torch.full_like(target, 500.0)
    for case, (top, left, bottom, right) in enumerate(batch["region"].tolist()):
        spoiled[case, :, top:bottom, left:right] = target[case, :, top:bottom, left:right]
    assert torch.isinf(denoising.score(spoiled, batch)["psnr"]).all()
    assert torch.equal(denoising.score(spoiled, batch)["ssim"], perfect["ssim"])


def test_training_patches_are_turned_together(cases):
    batch = denoising.sample(cases.train, "smoke", 6, torch.Generator().manual_seed(0))
    assert batch["low_dose"].shape == batch["normal_dose"].shape == (6, 1, 32, 32)
    smooth = nn.functional.avg_pool2d(torch.cat(list(batch.values()), 1), 8).flatten(2)
    for low, normal in smooth:
        if normal.std() > 100:  # a patch with anatomy in it
            assert torch.corrcoef(torch.stack([low, normal]))[0, 1] > 0.9


def test_pictures_are_what_they_say(cases):
    batch = cases.test.batch(slice(0, 3))
    panels = denoising.pictures(batch["low_dose"], batch)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert torch.equal(panels["input"].values, panels["output"].values)
    error = panels["output"].values - panels["truth"].values
    assert torch.equal(panels["error"].values, error)


# --- the methods: the catalogue's faithful minimum


def test_cnn_dae_squeezes_everything_through_a_pooled_bottleneck():
    method = CNNDAE()
    assert len(layers(method.encoder, nn.MaxPool2d)) == 2
    assert len(layers(method.decoder, nn.Upsample)) == 2
    assert not layers(method, nn.BatchNorm2d)
    sizes = []
    method.encoder.register_forward_hook(lambda m, i, o: sizes.append(o.shape[-1]))
    image = torch.randn(1, 1, 32, 32)
    method(image)
    assert sizes == [8]
    # No shortcut: with the bottleneck silenced, the output no longer depends on the input.
    method.encoder.register_forward_hook(lambda m, i, o: torch.zeros_like(o))
    assert torch.equal(method(image), method(image + 1))


def test_red_cnn_has_ten_unpadded_layers_and_no_pooling():
    method = REDCNN()
    down, up = layers(method, nn.Conv2d), layers(method, nn.ConvTranspose2d)
    assert len(down) == len(up) == 5
    for layer in (*down, *up):
        assert layer.kernel_size == (5, 5) and layer.stride == (1, 1) and layer.padding == (0, 0)
    assert not layers(method, nn.MaxPool2d) and not layers(method, nn.BatchNorm2d)


def test_red_cnn_shortcuts_are_three_and_rectified_after_the_addition():
    method = REDCNN(width=2)
    for layer in method.decoder:  # silence the decoder: only shortcuts reach the next layer
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    inputs = []
    for layer in method.decoder:
        layer.register_forward_hook(lambda m, i, o: inputs.append(i[0]))
    encoded = []
    for layer in method.encoder:
        layer.register_forward_hook(lambda m, i, o: encoded.append(o.relu()))
    image = torch.randn(1, 1, 24, 24)
    output = method(image)
    assert torch.equal(output, image.relu())  # input to output, rectified after the addition
    assert torch.equal(inputs[1], encoded[3])  # the fourth convolution to the first deconvolution
    assert torch.equal(inputs[3], encoded[1])  # the second to the third
    assert not inputs[2].any() and not inputs[4].any()  # and no others


def test_red_cnn_minimises_the_mean_squared_error_only():
    method, low, normal = REDCNN(2), torch.randn(2, 1, 24, 24), torch.randn(2, 1, 24, 24)
    ((player, loss),) = method.losses({"low_dose": 1000 * low, "normal_dose": 1000 * normal})
    expected = (method(low + 1) - (normal + 1)).square().mean()
    assert player == "network" and loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_wgan_vgg_networks():
    network = generator()
    convolutions = layers(network, nn.Conv2d)
    assert len(convolutions) == 8
    assert [c.out_channels for c in convolutions] == [32] * 7 + [1]
    judge = critic()
    assert [c.stride[0] for c in layers(judge, nn.Conv2d)] == [1, 2, 1, 2, 1, 2]
    forbidden = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.Sigmoid)
    assert not any(layers(judge, kind) for kind in forbidden)
    assert judge(torch.randn(3, 1, 32, 32)).shape == (3, 1)
    assert isinstance(judge[-1], nn.Linear)


def test_wgan_vgg_plays_four_critic_steps_then_the_generator():
    batch = {k: torch.randn(2, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}
    method = WGANVGG()
    assert [player for player, _ in method.losses(batch)] == ["critic"] * 4 + ["generator"]
    assert method.pixel == 0
    features = list(method.features.parameters())
    assert features and not any(p.requires_grad for p in features)
    method.train()
    assert not method.features.network.training


def test_wgan_vgg_critic_loss_contains_the_gradient_penalty():
    method = WGANVGG(perceptual=0)
    real, fake = torch.randn(4, 1, 16, 16), torch.randn(4, 1, 16, 16)
    with_penalty = method._critic_loss(real, fake).item()
    method.penalty = 0.0
    without = method._critic_loss(real, fake)
    expected = method.critic(fake).mean() - method.critic(real).mean()
    assert without.item() == pytest.approx(expected.item(), abs=1e-6)
    assert with_penalty > without.item() + 0.1


@pytest.mark.parametrize(
    ("options", "players"),
    [
        ({"adversarial": 0, "perceptual": 0, "pixel": 1}, ["generator"]),
        ({"adversarial": 0}, ["generator"]),
        ({"perceptual": 0}, ["critic"] * 4 + ["generator"]),
        ({"perceptual": 0, "pixel": 1}, ["critic"] * 4 + ["generator"]),
    ],
)
def test_wgan_vgg_ablations(options, players):
    batch = {k: torch.randn(2, 1, 32, 32) * 100 for k in ("low_dose", "normal_dose")}
    assert [player for player, _ in WGANVGG(**options).losses(batch)] == players


def test_median_removes_a_spike():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 900
    assert not Median().predict({"low_dose": image}).any()


@pytest.mark.parametrize("spectrum", ["white", "ramp"])
def test_bm3d_noise_model_has_the_stated_variance(spectrum):
    power = power_spectrum((32, 48), 20.0, spectrum)
    white = np.random.default_rng(0).normal(size=(32, 48))
    shaped = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power / power.size)).real
    assert power.mean() == pytest.approx(32 * 48 * 20.0**2)
    assert shaped.std() == pytest.approx(20, rel=0.1)
    assert (power[0, 0] < power[16, 24]) == (spectrum == "ramp")


def test_bm3d_improves_a_noisy_edge():
    truth = torch.zeros(1, 1, 48, 48)
    truth[..., 24:] = 300
    noisy = truth + 40 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    method = BM3D()
    method.set({"sigma_hu": 40.0, "spectrum": "white"})
    output = method.predict({"low_dose": noisy})
    assert (output - truth).square().mean() < 0.1 * (noisy - truth).square().mean()


def test_learned_denoisers_are_listed_with_their_reference():
    refs = {e.id: e.ref for e in catalogue.methods("denoising") if not e.baseline}
    assert refs == {"cnn_dae": 1, "red_cnn": 2, "wgan_vgg": 4}
