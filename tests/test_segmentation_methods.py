"""Segmentation: losses, shared parts, and what makes each method itself."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.cases import Cases
from course_lib.fit import fit
from course_lib.methods.segmentation.bdc_lstm import KUNetBDCLSTM
from course_lib.methods.segmentation.combo_loss import ComboLoss
from course_lib.methods.segmentation.fcn import FCN, FCNetwork, upsampling
from course_lib.methods.segmentation.intensity_windows import IntensityWindows
from course_lib.methods.segmentation.random_forest import RandomForest, features
from course_lib.methods.segmentation.segan import SegAN
from course_lib.methods.segmentation.unet import UNet, border_weights
from course_lib.methods.segmentation.vnet import Stage3D, VNet
from course_lib.parts.segmentation import losses
from course_lib.parts.segmentation.conv_lstm import BiConvLSTM, ConvLSTM
from course_lib.parts.segmentation.stacks import from_slices, padded, standardise, to_slices
from course_lib.parts.u_net import UNetwork
from course_lib.tasks.segmentation import structures as task


@pytest.fixture
def cases(splits):
    return splits("segmentation")


@pytest.fixture
def piece(cases):
    return task.sample(cases.train, "smoke", 2, torch.Generator().manual_seed(0))


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- parts


def test_standardise_maps_the_window_to_minus_one_and_one():
    image = torch.tensor([-500.0, 0.0, 500.0, 9e9]).reshape(1, 1, 1, 2, 2).repeat(2, 1, 1, 1, 1)
    window = torch.tensor([[-500.0, 500.0], [0.0, 500.0]])
    result = standardise({"image": image, "window": window}).flatten(1)
    assert result[0, :3].tolist() == [-1, 0, 1] and result[1, 1:3].tolist() == [-1, 1]
    assert result.max() == 3


def test_slices_come_back_and_padding_continues_the_edge():
    stack = noise(2, 3, 4, 5, 6)
    assert torch.equal(from_slices(to_slices(stack), 2), stack)
    assert torch.equal(to_slices(stack)[1], stack[0, :, 1])
    wide = padded(stack, (8, 8))
    assert wide.shape == (2, 3, 4, 8, 8) and torch.equal(wide[..., 7, :6], stack[..., 4, :])


def test_conv_lstm_is_an_lstm_in_every_pixel():
    """With 1x1 filters it must equal torch's LSTM, pixel by pixel."""
    ours, theirs = ConvLSTM(3, 4, kernel=1), nn.LSTM(3, 4, batch_first=True)
    order = torch.tensor([0, 1, 3, 2])  # torch: i, f, g, o; ours: i, f, o, g
    with torch.no_grad():
        for mine, name in ((ours.of_input, "weight_ih_l0"), (ours.of_state, "weight_hh_l0")):
            weight = getattr(theirs, name).unflatten(0, (4, 4))[order].flatten(0, 1)
            mine.weight.copy_(weight[..., None, None])
        bias = (theirs.bias_ih_l0 + theirs.bias_hh_l0).unflatten(0, (4, 4))
        ours.of_input.bias.copy_(bias[order].flatten())
        x = noise(2, 3, 5, 2, 2)
        pixels = x.permute(0, 3, 4, 2, 1).reshape(8, 5, 3)
        wanted = theirs(pixels)[0].reshape(2, 2, 2, 5, 4).permute(0, 4, 3, 1, 2)
        assert torch.allclose(ours(x), wanted, atol=1e-5)
        wanted = theirs(pixels.flip(1))[0].flip(1).reshape(2, 2, 2, 5, 4).permute(0, 4, 3, 1, 2)
        assert torch.allclose(ours(x, reverse=True), wanted, atol=1e-5)


def test_context_runs_along_z_in_both_directions():
    layer, stack = BiConvLSTM(2, 3), noise(1, 2, 5, 8, 8).requires_grad_()
    states = layer(stack)
    up, down = states[:, :3, 2], states[:, 3:, 2]
    reach = [
        torch.autograd.grad(part.square().sum(), stack, retain_graph=True)[0]
        .abs()
        .sum((0, 1, 3, 4))
        for part in (up, down)
    ]
    assert (reach[0] > 0).tolist() == [True, True, True, False, False]
    assert (reach[1] > 0).tolist() == [False, False, True, True, True]


# --- the losses


def example(classes=3):
    scores = 2 * noise(2, classes, 3, 8, 8)
    labels = torch.randint(classes, (2, 1, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    return scores, labels


def test_dice_with_squares_is_the_papers_and_monais():
    from monai.losses import DiceLoss

    scores, labels = example()
    p, g = scores.softmax(1), losses.one_hot(labels, 3)
    by_hand = [
        1 - 2 * (p[:, c] * g[:, c]).sum() / (p[:, c].square().sum() + g[:, c].square().sum())
        for c in (1, 2)
    ]
    assert losses.dice_loss(scores, labels).item() == pytest.approx(float(sum(by_hand)) / 2, 1e-4)
    monai = DiceLoss(False, True, softmax=True, squared_pred=True, batch=True)
    assert losses.dice_loss(scores, labels).item() == pytest.approx(
        monai(scores, labels).item(), 1e-4
    )


def test_focal_loss_is_monais_and_cross_entropy_without_gamma():
    from monai.losses import FocalLoss

    scores, labels = example()
    monai = FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True)
    # MONAI takes the mean over classes too, of which one counts in each pixel.
    assert losses.focal_loss(scores, labels).item() == pytest.approx(
        3 * monai(scores, labels).item(), 1e-4
    )
    plain = losses.cross_entropy(scores, labels).item()
    assert losses.focal_loss(scores, labels, gamma=0.0).item() == pytest.approx(plain, 1e-4)


def test_balanced_cross_entropy_gives_every_class_the_same_say():
    labels = torch.zeros(1, 1, 1, 10, 10, dtype=torch.long)
    labels[..., 0, 0] = 1
    flat = torch.zeros(1, 2, 1, 10, 10, requires_grad=True)
    losses.balanced_cross_entropy(flat, labels).backward()
    pull = flat.grad[0, 1, 0]
    assert pull[0, 0].item() == pytest.approx(-float(pull.sum() - pull[0, 0]), rel=1e-4)


def test_combo_with_alpha_one_is_weighted_cross_entropy_and_with_zero_dice():
    scores, labels = example(2)
    p, t = scores.softmax(1)[:, 1], labels[:, 0].float()
    for beta in (0.3, 0.8):
        entropy = -(beta * t * p.log() + (1 - beta) * (1 - t) * (1 - p).log()).mean()
        ours = losses.combo_loss(scores, labels, 1.0, beta)
        assert ours.item() == pytest.approx(entropy.item(), 1e-4) and ours > 0
    dice = 2 * (p * t).sum() / (p.sum() + t.sum())
    assert losses.combo_loss(scores, labels, 0.0).item() == pytest.approx(-dice.item(), 1e-4)


def test_both_log_terms_of_combo_punish():
    labels = torch.tensor([0, 1]).reshape(1, 1, 1, 1, 2)
    right = torch.tensor([[4.0, -4.0], [-4.0, 4.0]]).reshape(1, 2, 1, 1, 2)
    for pixel in (0, 1):  # a false alarm, a miss
        wrong = right.clone()
        wrong[..., pixel] *= -1
        assert losses.combo_loss(wrong, labels, 1.0) > losses.combo_loss(right, labels, 1.0) + 1


def test_beta_turns_misses_into_false_alarms_monotonically():
    """On pixels that cannot be told apart, the best p grows with β: fewer misses, more alarms."""
    labels = torch.zeros(1, 1, 1, 1, 100, dtype=torch.long)
    labels[..., :30] = 1
    best = []
    for beta in (0.2, 0.5, 0.8):
        score = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.Adam([score], lr=0.1)
        for _ in range(150):
            both = torch.stack([torch.zeros(100), score.expand(100)])[None, :, None, None]
            loss = losses.combo_loss(both, labels, 0.8, beta)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        best.append(score.sigmoid().item())
    assert best[0] < best[1] - 0.05 and best[1] < best[2] - 0.05


# --- the methods


def test_fcn_has_no_dense_layer_and_takes_any_size():
    network = FCNetwork(4, 8)
    assert not layers(network, nn.Linear) and len(layers(network, nn.MaxPool2d)) == 5
    with torch.no_grad():
        for height, width in ((64, 64), (50, 71), (33, 32)):
            assert network(noise(1, 1, height, width)).shape == (1, 4, height, width)


def test_fcn_adds_class_scores_of_earlier_poolings():
    for stride, taps in ((32, 1), (16, 2), (8, 3)):
        network = FCNetwork(4, stride).eval()
        assert [layer.out_channels for layer in network.score] == [4] * taps
        assert network.enlarge.stride == (stride, stride)
        assert all(up.in_channels == up.out_channels == 4 for up in network.doublings)
    with torch.no_grad():  # added, not concatenated: what pool 3 says adds the same to all
        network.score[2].bias.zero_()
        before = network(noise(1, 1, 64, 64))
        network.score[2].bias.add_(1.0)
        change = network(noise(1, 1, 64, 64)) - before
    assert torch.allclose(change[..., 8:-8, 8:-8], torch.ones(1), atol=1e-4)


def test_fcn_variants_share_their_encoder():
    shapes = [
        {
            name: value.shape
            for name, value in FCN(stride).network.network.encoder.state_dict().items()
        }
        for stride in (32, 16, 8)
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_fcn_starts_from_linear_interpolation():
    with torch.no_grad():
        fine = upsampling(2, 4)(torch.tensor([0.0, 4.0]).expand(1, 2, 2, 2))
    wanted = nn.functional.interpolate(
        torch.tensor([0.0, 4.0]).expand(1, 2, 2, 2), scale_factor=4, mode="bilinear"
    )
    assert torch.allclose(fine[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], atol=1e-5)


def disc():
    """Slices with a disc of changing size, as a batch."""
    line = torch.arange(64) - 31.5
    radius = torch.tensor([8.0, 12.0, 16.0, 20.0])
    label = (line[:, None] ** 2 + line**2)[None] < radius[:, None, None] ** 2
    image = label[None, None] + 0.1 * noise(1, 1, 4, 64, 64)
    return {
        "image": image,
        "label": label[None, None].to(torch.uint8),
        "window": torch.tensor([[0.0, 1.0]]),
        "classes": torch.tensor([2]),
        "spacing": torch.ones(1, 3),
    }


def test_fcn_skips_make_the_finest_detail_finer():
    """At the start, scores are linear between points that lie a stride apart, and no finer."""
    bends = []
    for stride in (32, 16, 8):
        network = FCNetwork(2, stride).double().eval()
        with torch.no_grad():
            scores = network(noise(1, 1, 128, 128).double())[..., 32:96, 32:96]
        bent = scores.diff(n=2, dim=-1).abs().amax(dim=(0, 1, 2)) > 1e-10
        bends.append(int(bent.sum()))
    assert 0 < bends[0] < bends[1] < bends[2] < 64


def test_u_net_concatenates_features_and_has_two_convolutions_per_level():
    network = UNet().network.network
    widths = (12, 24, 48, 96)
    for block in (*network.down, *network.merge):
        assert len(layers(block, nn.Conv2d)) == 2
    assert [block[0].in_channels for block in network.merge] == [2 * w for w in widths[-2::-1]]
    cut = UNet(skips=False).network.network
    assert [block[0].in_channels for block in cut.merge] == list(widths[-2::-1])


def test_without_skips_nothing_passes_but_through_the_bottom():
    for skips in (True, False):
        network = UNetwork(1, 1, (4, 8), skips=skips).eval()
        with torch.no_grad():
            for parameter in network.down[1].parameters():
                parameter.zero_()
            one, other = (network(noise(1, 1, 16, 16, seed=k)) for k in (0, 1))
        assert torch.equal(one, other) != skips


def test_border_weights_are_high_in_narrow_gaps_only():
    label = torch.zeros(1, 1, 1, 32, 32, dtype=torch.uint8)
    label[..., 8:24, 4:14], label[..., 8:24, 16:26] = 1, 1
    weights = border_weights(label, 10.0, 3.0)[0, 0]
    assert weights[16, 14].item() == pytest.approx(1 + 10 * np.exp(-9 / 18), rel=1e-4)
    assert weights[16, 31] < 1.1 and weights[16, 8] == 1
    ((_, plain),), ((_, weighted),) = (
        list(UNet(border=b).losses(disc() | {"classes": torch.tensor([6])})) for b in (0.0, 10.0)
    )
    assert torch.isfinite(weighted) and plain > 0


def test_u_net_never_sees_a_neighbouring_slice_and_the_3d_one_does(cases):
    batch = cases.test.batch(slice(0, 1))
    changed = batch | {"image": batch["image"].clone()}
    changed["image"][:, :, 3] = 0
    for method, sees in ((UNet(), False), (UNet(dims=3, widths=(4, 8)), True), (VNet(), True)):
        with torch.no_grad():
            one, other = (method.eval().scores(b) for b in (batch, changed))
        assert torch.equal(one[:, :, 4], other[:, :, 4]) != sees


def test_v_net_stages_add_their_input_and_go_down_by_convolution():
    network = VNet().network
    assert not layers(network, (nn.MaxPool3d, nn.AvgPool3d))
    assert all(layer.stride == (2, 2, 2) for layer in network.down)
    assert layers(network, nn.PReLU) and not layers(network, nn.ReLU)
    stage = Stage3D(6, 6, 2, 3).eval()
    with torch.no_grad():
        for layer in layers(stage, nn.Conv3d):
            layer.weight.zero_()
        x = noise(1, 6, 4, 4, 4)
        assert torch.allclose(stage(x), stage.activation(x), atol=1e-5)
    assert VNet(kernel=5).network.left[0].convolutions[0].kernel_size == (5, 5, 5)


def test_v_net_trains_on_dice_and_takes_odd_sides(piece):
    method = VNet()
    ((player, loss),) = method.losses(piece)
    scores = method.scores(piece)
    assert player == "network"
    assert loss.item() == pytest.approx(losses.dice_loss(scores, piece["label"]).item(), 1e-4)
    with torch.no_grad():
        assert method.network(noise(1, 1, 5, 17, 30)).shape == (1, 6, 5, 17, 30)


def test_bdc_lstm_passes_from_coarse_to_fine_and_through_the_stack(cases):
    batch = cases.test.batch(slice(0, 1))
    method = KUNetBDCLSTM().eval()
    slices = method.network.slices
    with torch.no_grad():
        before = slices(to_slices(standardise(batch)))
        slices.coarse.merge[-1][4].bias.add_(1.0)
        assert not torch.equal(slices(to_slices(standardise(batch))), before)
        changed = batch | {"image": batch["image"].clone()}
        changed["image"][:, :, 7] = 0
        for context in (True, False):
            method.context = context
            one, other = (method.scores(b)[:, :, 0] for b in (batch, changed))
            assert torch.equal(one, other) != context


def test_bdc_lstm_is_trained_one_network_after_the_other(piece):
    method = KUNetBDCLSTM()
    moved = {}
    for stage in ("slices", "stack", "both"):
        method.stage = stage
        method.train()
        own = {id(p) for p in method.players()["network"]}
        moved[stage] = [
            {id(p) for p in part.parameters()} <= own
            for part in (method.network.slices, method.network.stack)
        ]
        statistics = method.network.slices.fine.down[0][1].running_mean.clone()
        list(method.losses(piece))
        now = method.network.slices.fine.down[0][1].running_mean
        assert torch.equal(statistics, now) == (stage == "stack")
    assert moved == {"slices": [True, False], "stack": [False, True], "both": [True, True]}
    assert [stage.name for stage in method.stages] == ["slices", "stack", "both"]


def test_segan_critic_sees_masked_images_only(piece):
    method = SegAN()
    maps = losses.one_hot(piece["label"], 6)
    masked = method.masked(piece, maps)
    assert masked.shape[1] == 5
    image = to_slices(1 + standardise(piece) / 2)
    inside = to_slices(piece["label"]) == 2
    assert torch.equal(masked[:, 1:2][inside], image[inside])
    assert not masked[:, 1:2][~inside].any()


def test_segan_compares_every_level_and_its_players_want_the_opposite(piece):
    method = SegAN()
    (_, critic), (_, segmentor) = method.losses(piece)
    assert critic.item() == pytest.approx(-segmentor.item(), rel=1e-4)
    pairs = noise(2, 5, 32, 32), noise(2, 5, 32, 32, seed=1)
    levels = method.network["critic"](torch.cat(pairs))
    assert len(levels) >= 3
    maps = list(zip(*(level.chunk(2) for level in levels), strict=True))
    by_hand = sum((a - b).abs().mean() for a, b in zip(*maps, strict=True)) / len(maps[0])
    assert method.distance(*pairs).item() == pytest.approx(by_hand.item(), rel=1e-4)
    last = SegAN(levels="last")
    last.network.load_state_dict(method.network.state_dict())
    only = (maps[0][-1] - maps[1][-1]).abs().mean()
    assert last.distance(*pairs).item() == pytest.approx(only.item(), rel=1e-4)
    assert SegAN(levels="scalar").distance(*pairs).ndim == 0


def test_segan_has_no_pixel_loss(piece):
    """A critic that sees nothing leaves the segmentor without a gradient."""
    method = SegAN()
    with torch.no_grad():
        for weight in method.network["critic"].parameters():
            weight.zero_()
    *_, (player, loss) = method.losses(piece)
    loss.backward()
    assert player == "segmentor"
    assert all(not p.grad.any() for p in method.network["segmentor"].parameters())


def test_segan_clips_its_critic():
    method = SegAN(bound=0.01)
    weights = list(method.network["critic"].parameters())
    assert max(float(w.detach().abs().max()) for w in weights) <= 0.0100001
    with torch.no_grad():
        weights[0].fill_(1.0)
    method.after_step("segmentor")
    assert weights[0].max() == 1
    method.after_step("critic")
    assert max(float(w.detach().abs().max()) for w in weights) <= 0.0100001


@pytest.mark.parametrize(
    ("rate", "least", "most"), [(0.0, 0.0, 0.0), (3e-5, 3e-5, 2e-4), (1e-3, 1e-3, 6e-3)]
)
def test_segan_critic_learns_unless_its_rate_is_zero(cases, rate, least, most):
    """At rate 0 the critic stays what it was; else it moves by a part of its bound of 0.05."""
    method = SegAN(critic_rate=rate)
    before = {name: value.clone() for name, value in method.network.state_dict().items()}
    fit(method, catalogue.task("segmentation"), cases, profile="smoke", seed=0, progress=False)
    moved = {"critic": [], "segmentor": []}
    for name, value in method.network.state_dict().items():
        if value.is_floating_point():
            moved[name.split(".")[0]].append((value - before[name]).abs().flatten())
    assert least <= float(torch.cat(moved["critic"]).mean()) <= most
    assert float(torch.cat(moved["segmentor"]).mean()) > 1e-3


def test_segan_levels_have_the_same_say(piece):
    """Made ten times as large, a level's weights do not change what the critic sees."""
    method, masked = SegAN(), noise(4, 5, 32, 32)
    before = method.network["critic"](masked)
    with torch.no_grad():
        method.network["critic"].levels[2][0].weight.mul_(10)
    for a, b in zip(before, method.network["critic"](masked), strict=True):
        assert torch.allclose(a, b, atol=1e-2)


def test_segan_refuses_options_it_does_not_have():
    for options in ({"levels": "first"}, {"bound": 0.0}, {"critic_rate": -1e-4}):
        with pytest.raises(TypeError):
            SegAN(**options)


def test_combo_is_the_u_net_with_another_loss(piece):
    method = ComboLoss(beta=0.7)
    same = {k: v.shape for k, v in UNet().state_dict().items()}
    assert {k: v.shape for k, v in method.state_dict().items()} == same
    ((_, loss),) = method.losses(piece)
    wanted = losses.combo_loss(method.scores(piece), piece["label"], 0.5, 0.7)
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-4)


def test_a_data_set_with_other_classes_gets_another_head():
    tumours = task.make("lung_tumours/without_4", "smoke", 0).train
    for entry in catalogue.methods("segmentation"):
        method = catalogue.build(entry.id)
        method.prepare(tumours)
        if not entry.baseline:
            assert method.scores(tumours.batch(slice(0, 1))).shape[1] == 2


def test_intensity_windows_find_classes_that_brightness_tells_apart():
    batch = disc()
    cases = _as_cases(batch)
    method = IntensityWindows()
    method.prepare(cases)
    assert (method.predict(batch) == batch["label"]).float().mean() > 0.99
    image = batch["image"].clone()
    image[..., :3, :3] = 1.0  # a bright spot elsewhere
    method.largest = True
    assert not method.predict(batch | {"image": image})[..., :3, :3].any()


def test_random_forest_beats_brightness_where_only_texture_tells():
    batch = disc()
    rough = noise(1, 1, 4, 64, 64) * torch.where(batch["label"] > 0, 0.5, 0.1)
    batch = batch | {"image": 0.5 + rough}
    cases, scores = _as_cases(batch), []
    for method in (IntensityWindows(), RandomForest()):
        torch.manual_seed(0)
        method.prepare(cases)
        method.set(method.grid[-1])
        scores.append(task.score(method.predict(batch), batch)["dice"].item())
    assert scores[1] > scores[0] + 0.1
    assert features(batch).shape == (4 * 64 * 64, 17)


def _as_cases(batch):
    return Cases(batch, ["a"], ["a"], ["training"], batch["spacing"])


def test_methods_are_listed_with_their_reference():
    refs = {e.id: e.ref for e in catalogue.methods("segmentation") if not e.baseline}
    wanted = {"fcn": None, "unet": None, "vnet": 84, "bdc_lstm": 88, "segan": 89, "combo_loss": 92}
    assert refs == wanted
