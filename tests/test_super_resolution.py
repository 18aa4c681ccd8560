"""Super-resolution: how detail is lost, who is tested; and what makes each method itself."""

import doctest

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.lesson.widgets.detail import detail_explorer, lost_detail
from course_lib.methods.super_resolution.csn import CSN, Split
from course_lib.methods.super_resolution.espcn import ESPCN
from course_lib.methods.super_resolution.recnn_3d import ReCNN
from course_lib.methods.super_resolution.srcnn import SRCNN
from course_lib.parts.super_resolution import shuffle
from course_lib.parts.super_resolution.planes import from_planes, plane_factors, to_planes
from course_lib.physics import degradation
from course_lib.physics.resolution import enlarge
from course_lib.tasks.base import Plan
from course_lib.tasks.super_resolution import large_voxels as super_resolution

IN_PLANE, THROUGH = (1, 3, 3), (3, 1, 1)
SPLITS = ("train", "validation", "test")
LEARNING = ("srcnn", "espcn", "recnn_3d", "csn")


@pytest.fixture
def cases(splits):
    return splits("super_resolution")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def batch_of(scale, count=1, side=12, seed=0):
    high = torch.randn(count, 1, 12, side, side, generator=seeded(seed)) * 300 - 400
    low = degradation.degrade(high, "blur", scale)
    return {
        "high_resolution": high,
        "low_resolution": low,
        "interpolated": enlarge(low, scale),
        "scale": torch.tensor(scale).expand(count, 3),
    }


# --- the physics


@pytest.mark.parametrize("kind", degradation.KINDS)
@pytest.mark.parametrize("scale", [(1, 2, 2), IN_PLANE, THROUGH, (2, 3, 4), (6, 1, 1)])
def test_degradations_keep_constants_and_have_the_stated_size(kind, scale):
    low = degradation.degrade(torch.full((2, 1, 12, 24, 12), 40.0), kind, scale)
    expected = [side // factor for side, factor in zip((12, 24, 12), scale, strict=True)]
    assert list(low.shape[2:]) == expected
    torch.testing.assert_close(low, torch.full_like(low, 40.0))


@pytest.mark.parametrize("kind", degradation.KINDS)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_no_degradation_shifts_the_image(kind, factor):
    place = torch.arange(48.0)
    bump = torch.exp(-((place - 20.3) ** 2) / (2 * 5**2)).view(1, 1, 1, 1, 48)
    low = degradation.degrade(bump, kind, (1, 1, factor)).flatten()
    centres = factor * torch.arange(48 // factor) + (factor - 1) / 2
    assert (low * centres).sum() / low.sum() == pytest.approx(20.3, abs=0.05)


def test_truncated_kspace_keeps_low_frequencies_exactly_and_drops_high_ones():
    place = torch.arange(24.0)
    waves = torch.stack([torch.cos(2 * torch.pi * k * place / 24 + 0.4) for k in (2, 7)])
    low = degradation.degrade(waves.view(1, 2, 1, 1, 24), "kspace", (1, 1, 3))[0, :, 0, 0]
    centres = 3 * torch.arange(8.0) + 1
    torch.testing.assert_close(low[0], torch.cos(2 * torch.pi * 2 * centres / 24 + 0.4))
    assert low[1].abs().max() < 1e-5


def test_truncated_kspace_rings_at_an_edge_and_blur_does_not():
    edge = torch.where(torch.arange(48) < 23, 0.0, 1.0).view(1, 1, 1, 1, 48)
    low = {k: degradation.degrade(edge, k, (1, 1, 3)).flatten()[3:-3] for k in degradation.KINDS}
    assert low["kspace"].max() > 1.04 and low["blur"].max() < 1.0001


def test_noise_has_its_standard_deviation_and_its_seed():
    flat = torch.zeros(1, 1, 12, 96, 96)
    one, again, other = (
        degradation.degrade(flat, "blur", THROUGH, 10.0, seeded(s)) for s in (0, 0, 1)
    )
    assert one.std() == pytest.approx(10, rel=0.02)
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_what_does_not_fit_is_refused():
    with pytest.raises(CourseError, match="bicubic, blur, kspace, thick"):
        degradation.degrade(torch.zeros(1, 1, 2, 2, 2), "nearest", (1, 1, 1))
    with pytest.raises(CourseError, match="multiples"):
        degradation.degrade(torch.zeros(1, 1, 4, 9, 10), "blur", IN_PLANE)


# --- planes, shuffle


@pytest.mark.parametrize(("scale", "shape"), [(IN_PLANE, (8, 1, 5, 6)), (THROUGH, (10, 1, 4, 6))])
def test_planes_hold_the_axes_that_lost_detail(scale, shape):
    volume = torch.randn(2, 1, 4, 5, 6, generator=seeded())
    planes = to_planes(volume, scale)
    assert planes.shape == shape
    assert torch.equal(from_planes(planes, 2, scale), volume)
    assert plane_factors(scale) == ((3, 3) if scale == IN_PLANE else (3, 1))


def test_shuffle_is_pixel_shuffle_in_2d_and_fills_blocks_in_3d():
    features = torch.randn(2, 18, 4, 5, generator=seeded())
    assert torch.equal(shuffle.shuffle(features, (3, 3)), nn.PixelShuffle(3)(features))
    volume = torch.arange(12.0).view(1, 12, 1, 1, 1)
    fine = shuffle.shuffle(volume, (2, 3, 2))
    assert torch.equal(fine.flatten(), torch.arange(12.0)) and fine.shape == (1, 1, 2, 3, 2)
    assert doctest.testmod(shuffle).failed == 0


@pytest.mark.parametrize("method", ["espcn", "csn"])
@pytest.mark.parametrize("scale", [(1, 3, 3), (1, 2, 4)])
def test_networks_that_shuffle_start_as_linear_interpolation(method, scale):
    network = catalogue.build(method, scale=scale)
    if method == "csn":
        nn.init.dirac_(network.last.weight)  # silence the other maps
    else:
        with torch.no_grad():
            network.last.weight[:, 1:] = 0
            network.last.bias[:] = 0
    low = torch.rand(1, 1, 8, 8, generator=seeded()) * 1.5
    expected = enlarge(low, scale[1:], "linear")
    inside = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(network(low)[inside], expected[inside], atol=0.03, rtol=0)


# --- the task


def test_test_patients_are_in_no_other_part(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    groups = dict(zip(cases.test.subject, cases.test.group, strict=True))
    others = {s for s, group in groups.items() if group == super_resolution.OTHER_PATIENTS}
    assert len(others) == 4 and not known & others
    assert {g for s, g in groups.items() if s in known} == {super_resolution.SAME_PATIENT}


def test_blocks_of_the_training_patient_lie_a_centimetre_apart():
    starts = [super_resolution.VALIDATION_BLOCK, super_resolution.TEST_BLOCK]
    parts = [super_resolution.TRAIN_BLOCKS, *([start] for start in starts)]
    used = [{z + i for z in part for i in range(super_resolution.DEPTH)} for part in parts]
    for i, first in enumerate(used):
        for second in used[i + 1 :]:
            assert (min(abs(a - b) for a in first for b in second) - 1) * 2.5 >= 10


@pytest.mark.parametrize("dataset", ["blur_x2", "kspace_x4", "thick_x3", "bicubic_x6"])
def test_each_data_set_loses_what_its_name_says(dataset):
    found = super_resolution.make(f"chest_ct/{dataset}", "smoke", 0)
    _, kind, scale = super_resolution.parse(f"chest_ct/{dataset}")
    factor = int(dataset[-1])
    assert scale == ((factor, 1, 1) if kind == "thick" else (1, factor, factor))
    for part in (found.train, found.validation, found.test):
        high, low = part["high_resolution"], part["low_resolution"]
        ratio = [a // b for a, b in zip(high.shape[2:], low.shape[2:], strict=True)]
        assert tuple(ratio) == scale and part["scale"].unique(dim=0).tolist() == [list(scale)]
        assert high.min() >= -1000 and abs(high.mean() - low.mean()) < 15
    assert found.test.subject == ["LIDC-IDRI-0001"] * 2


def test_the_seed_decides_the_noise_of_thick_slices_only():
    thick, other, clean, same = (
        super_resolution.make(f"chest_ct/{kind}", "smoke", seed).test["low_resolution"]
        for kind, seed in (("thick_x3", 0), ("thick_x3", 1), ("blur_x3", 0), ("blur_x3", 1))
    )
    assert not torch.equal(thick, other) and torch.equal(clean, same)
    assert (thick - other).std() == pytest.approx(10 * 2**0.5, rel=0.05)


@pytest.mark.parametrize("dataset", ["bicubic_x3", "thick_x2"])
def test_training_patches_show_the_same_place_at_both_resolutions(dataset):
    train = super_resolution.make(f"chest_ct/{dataset}", "smoke", 0).train
    batch = super_resolution.sample(train, "smoke", 4, seeded(3))
    side = super_resolution.SIZES["smoke"].patch
    assert batch["high_resolution"].shape == batch["interpolated"].shape == (4, 1, 12, side, side)
    enlarged = enlarge(batch["low_resolution"], batch["scale"][0].tolist())
    for name, image in (("low_resolution", enlarged), ("interpolated", batch["interpolated"])):
        both = torch.stack([image.flatten(), batch["high_resolution"].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.9, name


def test_scores_of_the_truth_and_of_a_blurred_one(cases):
    batch = cases.test.batch(slice(0, 2))
    perfect = super_resolution.score(batch["high_resolution"], batch)
    assert torch.isinf(perfect["psnr"]).all() and perfect["edge_distance"].abs().max() < 1e-6
    torch.testing.assert_close(perfect["edge_sharpness"], torch.ones(2))
    blurred = super_resolution.score(catalogue.build("bicubic").predict(batch), batch)
    assert (blurred["edge_sharpness"] < 0.95).all() and (blurred["ssim"] < perfect["ssim"]).all()


@pytest.mark.parametrize("dataset", ["bicubic_x3", "thick_x3"])
def test_pictures_are_what_they_say(dataset):
    batch = super_resolution.make(f"chest_ct/{dataset}", "smoke", 0).test.batch(slice(0, 2))
    panels = super_resolution.pictures(batch["high_resolution"], batch)
    assert list(panels) == ["input", "output", "truth", "error"]
    assert len({panel.values.shape for panel in panels.values()}) == 1
    assert not panels["error"].values.any()
    coarse = panels["input"].values[0]
    assert torch.equal(coarse[:3, 0], coarse[:1, 0].expand(3))


# --- the methods: the catalogue's faithful minimum


@pytest.mark.parametrize("dataset", ["bicubic_x2", "thick_x4"])
@pytest.mark.parametrize("method", LEARNING)
def test_every_method_learns_at_other_factors_in_plane_and_through_plane(method, dataset):
    task = catalogue.task("super_resolution")
    parts = super_resolution.make(f"chest_ct/{dataset}", "smoke", 0)
    model = catalogue.build(method)
    fit(model, task, parts, profile="smoke", seed=0, plan=Plan(2, 1, 1), progress=False)
    with torch.inference_mode():
        prediction = model.predict(parts.test.tensors)
    assert prediction.shape == parts.test["high_resolution"].shape
    assert torch.isfinite(prediction).all()


def test_srcnn_sharpens_an_interpolated_image_with_three_layers_and_no_shortcut():
    method, seen = SRCNN(), []
    convolutions = layers(method, nn.Conv2d)
    assert [c.kernel_size[0] for c in convolutions] == [9, 1, 5]
    assert [c.out_channels for c in convolutions] == [64, 32, 1]
    convolutions[0].register_forward_hook(lambda m, i, o: seen.append(i[0].shape))
    method.predict(batch_of(IN_PLANE))
    assert seen == [(12, 1, 12, 12)]  # already on the fine grid
    for parameter in convolutions[-1].parameters():
        nn.init.zeros_(parameter)
    assert not method(torch.rand(1, 1, 12, 12)).any()  # nothing goes round the last layer


def test_espcn_computes_on_the_coarse_grid_and_ends_with_the_shuffle():
    method, seen = ESPCN(), []
    for layer in layers(method, nn.Conv2d):
        layer.register_forward_hook(lambda m, i, o: seen.append((i[0].shape[-1], o)))
    fine = method(torch.rand(2, 1, 4, 4))
    assert [side for side, _ in seen] == [4, 4, 4]
    assert torch.equal(fine, nn.PixelShuffle(3)(seen[-1][1]))


def test_espcn_in_3d_shuffles_r_cubed_channels():
    method = ESPCN(scale=(2, 2, 2), dimensions=3)
    assert method.last.out_channels == 8
    batch = batch_of((2, 2, 2))
    assert method.predict(batch).shape == batch["high_resolution"].shape
    ((player, loss),) = method.losses(batch)
    assert player == "network" and torch.isfinite(loss)


@pytest.mark.parametrize("kind", [ESPCN, CSN])
def test_networks_of_one_factor_refuse_another(kind):
    with pytest.raises(CourseError, match="train another"):
        kind().predict(batch_of((1, 2, 2)))


def test_recnn_adds_a_3d_residual_to_the_spline_interpolation():
    method = ReCNN()
    convolutions = layers(method, nn.Conv3d)
    assert {c.kernel_size for c in convolutions} == {(3, 3, 3)} and not layers(method, nn.Conv2d)
    for parameter in convolutions[-1].parameters():
        nn.init.zeros_(parameter)
    batch = batch_of(IN_PLANE)
    torch.testing.assert_close(method.predict(batch), batch["interpolated"], atol=0.01, rtol=1e-5)


def test_recnn_one_set_of_weights_serves_every_factor_also_an_unseen_one(cases):
    assert len(super_resolution.MIXED_FACTORS) >= 3
    unseen = set(super_resolution.FACTORS) - set(super_resolution.MIXED_FACTORS)
    assert unseen
    method, task = ReCNN(), catalogue.task("super_resolution")
    fit(method, task, cases, profile="smoke", seed=0, plan=Plan(2, 2, 1), progress=False)
    for factor in super_resolution.FACTORS:
        test = super_resolution.make(f"chest_ct/bicubic_x{factor}", "smoke", 0).test
        with torch.inference_mode():
            scores = super_resolution.score(method.predict(test.tensors), test.tensors)
        assert torch.isfinite(scores["psnr"]).all()


def test_the_factors_are_mixed_within_a_training_batch(cases):
    batch = super_resolution.sample(cases.train, "smoke", 24, seeded(1))
    high, enlarged = batch["high_resolution"], batch["interpolated"]
    error = (enlarged - high).flatten(1).square().mean(1)
    assert (error.max() / error.clamp_min(1).min()) > 3
    ((_, loss),) = ReCNN(layers=2).losses(batch)
    assert torch.isfinite(loss)


def test_recnn_takes_a_second_contrast():
    method, batch = ReCNN(reference=True), batch_of(IN_PLANE)
    batch["reference"] = torch.zeros_like(batch["high_resolution"])
    without = method.predict(batch)
    batch["reference"] = batch["reference"] + 500
    assert not torch.equal(method.predict(batch), without)


def test_recnn_has_the_plain_3d_srcnn_to_compare_with():
    method = ReCNN(layers=3, residual=False)
    assert len(layers(method, nn.Conv3d)) == 3
    for parameter in layers(method, nn.Conv3d)[-1].parameters():
        nn.init.zeros_(parameter)
    assert not method(torch.rand(1, 1, 4, 6, 6)).any()


def test_csn_splits_channels_and_merges_by_the_mean():
    block = Split(8)
    for parameter in block.parameters():  # silence both branches: only merge-and-run is left
        nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 5, 5, generator=seeded())
    mean = (x[:, :4] + x[:, 4:]) / 2
    torch.testing.assert_close(block(x), torch.cat([mean, mean], dim=1))
    first = layers(block.residual, nn.Conv2d)[0], layers(block.dense, nn.Conv2d)[0]
    assert [c.in_channels for c in first] == [4, 4]  # halves, not copies


def test_csn_dense_branch_sees_all_before_and_enlarges_at_the_end():
    method = CSN(blocks=2, width=8)
    growing = [c.in_channels for c in method.blocks[0].dense.layers]
    assert growing == sorted(set(growing)) and len(growing) == 3
    seen = []
    for layer in layers(method, nn.Conv2d):
        layer.register_forward_hook(lambda m, i, o: seen.append(i[0].shape[-1]))
    assert method(torch.rand(1, 1, 4, 4)).shape[-1] == 12
    assert set(seen[:-1]) == {4} and seen[-1] == 12


def test_csn_minimises_the_absolute_error_under_both_degradations():
    ((_, loss),) = CSN().losses(batch_of(IN_PLANE))
    assert torch.isfinite(loss)
    kinds = {super_resolution.parse(name)[1] for name in catalogue.task("super_resolution").sources}
    assert {"bicubic", "kspace"} <= kinds
    method, batch = CSN(), batch_of(IN_PLANE)
    fine = method.predict(batch)
    expected = (fine - batch["high_resolution"]).abs().mean() / 1000
    ((_, loss),) = method.losses(batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_references_are_the_surveys():
    refs = {e.id: e.ref for e in catalogue.methods("super_resolution") if not e.baseline}
    assert refs == {"srcnn": 11, "espcn": 15, "recnn_3d": 11, "csn": 14}


# --- the lesson


def test_detail_explorer_moves_and_says_what_it_shows(cases):
    image = cases.validation["high_resolution"][0, 0, 6]
    explorer = detail_explorer(image, 2.5)
    before = explorer.screen.value
    explorer.controls["factor"].value = 6
    explorer.controls["kind"].value = "k-space truncation"
    assert explorer.screen.value != before
    assert "k-space truncation by 6" in explorer.picture.alt and "15.0 mm" in explorer.picture.alt


def test_more_detail_lost_is_more_error(cases):
    image = cases.validation["high_resolution"][0, 0, 6]
    for kind in ("bicubic", "blur", "kspace"):
        errors = [(lost_detail(image, factor, kind)[1] - image).std() for factor in (2, 3, 6)]
        assert errors == sorted(errors)


# --- MR, and volumes of one's own


def test_brains_are_split_by_donor_and_lie_on_the_common_scale():
    splits = catalogue.task("super_resolution").splits("brain_t1/kspace_x2", "smoke", 0)
    train, validation, test = (set(getattr(splits, part).subject) for part in SPLITS)
    assert not (train & test or train & validation or validation & test)
    assert "MNI152" in test and "average" in splits.test.group[-1]
    high = splits.test["high_resolution"]
    assert high.min() >= -1000 and high.max() <= 1000 and high.std() > 200
    assert splits.test["low_resolution"].shape[-1] * 2 == high.shape[-1]
    assert not splits.test["hounsfield"].any()
    panels = catalogue.task("super_resolution").pictures(high, splits.test.tensors)
    assert panels["output"].unit == "a.u." and not panels["error"].values.any()


def test_own_volumes_become_blocks_that_fit_all_of_them(tmp_path):
    import nibabel

    draw = np.random.default_rng(0)
    for name, shape in (("a", (40, 30, 14)), ("b", (26, 50, 13)), ("c", (30, 30, 30))):
        image = nibabel.Nifti1Image(draw.random(shape, np.float32), np.diag([1, 1, 2, 1]))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    task = catalogue.task("super_resolution")
    splits = task.splits(f"path:{tmp_path}", "smoke", 0)
    assert splits.train["high_resolution"].shape[1:] == (1, 12, 24, 24)
    assert splits.train.spacing_mm[0].tolist() == [2.0, 1.0, 1.0]
    subjects = [getattr(splits, part).subject for part in SPLITS]
    assert sorted(name for part in subjects for name in part) == ["a", "b", "c"]
    batch = task.sample(splits.train, "smoke", 2, torch.Generator().manual_seed(0))
    assert batch["low_resolution"].shape == (2, 1, 12, 8, 8)
    nibabel.save(
        nibabel.Nifti1Image(np.ones((40, 40, 5), np.float32), np.eye(4)), tmp_path / "d.nii"
    )
    with pytest.raises(CourseError, match="at least 12 slices"):
        task.splits(f"path:{tmp_path}", "smoke", 0)
