"""Registration: who is tested, what is true; and what makes each method itself."""

import pytest
import torch
from torch import nn

from course_lib import catalogue
from course_lib.errors import CourseError
from course_lib.fit import predict
from course_lib.methods.registration import drr_pose_regression as pehl
from course_lib.methods.registration.demons import Demons
from course_lib.methods.registration.icnet import ICNet
from course_lib.methods.registration.pose_search import PoseSearch
from course_lib.methods.registration.supervised_ddf_regression import SupervisedDDFRegression
from course_lib.methods.registration.two_channel_deep_metric import (
    PATCH,
    TwoChannelDeepMetric,
    patches_at,
)
from course_lib.methods.registration.voxelmorph import VoxelMorph
from course_lib.parts.registration import free_form, itk, losses
from course_lib.parts.registration.fields import standardised
from course_lib.physics import drr, fields
from course_lib.tasks.registration import brain_pairs, xrays
from course_lib.tasks.registration import fields as task

SLICES, TWO, DONORS = (
    "brain_2d/known_fields",
    "brain_t1_t2/known_fields",
    "brain_2d/between_donors",
)
POSE, VOLUMES = "chest_drr/pose", "brain_3d/known_fields"


@pytest.fixture(scope="module")
def known():
    return task.make(SLICES, "smoke", 0)


@pytest.fixture(scope="module")
def contrasts():
    return task.make(TWO, "smoke", 0)


@pytest.fixture(scope="module")
def poses():
    return task.make(POSE, "smoke", 0)


def smooth_field(size=32, dims=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return fields.random_velocity((size,) * dims, 2, 6.0, 1.5, generator)


def zero(batch):
    field = torch.zeros_like(batch["displacement"])
    return {"forward": field, "backward": field}


# --- the task


@pytest.mark.parametrize("dataset", [SLICES, TWO, DONORS])
def test_donors_of_the_test_are_in_no_other_part(dataset):
    splits = task.make(dataset, "smoke", 0)
    donors = [
        {name for subject in part.subject for name in subject.split("+")}
        for part in (splits.train, splits.validation, splits.test)
    ]
    assert donors[2] == set(task.TEST) and not donors[2] & (donors[0] | donors[1])
    assert set(task.VALIDATION) <= donors[1] and not set(task.VALIDATION) & donors[0]


def test_poses_of_the_one_patient_say_so_and_differ(poses):
    assert set(poses.test.group) == {task.SAME_PATIENT} and task.SAME_PATIENT.startswith("same pat")
    apart = torch.cdist(poses.test["true_pose"], poses.train["true_pose"])
    assert apart.min() > 0.1


def test_the_true_field_brings_pictures_labels_and_landmarks_together(known):
    batch = known.test.tensors
    truth = batch["displacement"]
    field_scores = task.score({"forward": truth, "backward": fields.inverse(truth)}, batch)
    before = task.score(zero(batch), batch)
    assert (field_scores["tre_mm"] < 0.5).all() and (before["tre_mm"] > 3).all()
    assert torch.equal(field_scores["endpoint_error_mm"], torch.zeros(len(truth)))
    assert (field_scores["dice"] > before["dice"]).all()
    assert (field_scores["dissimilarity"] < 0.3 * before["dissimilarity"]).all()
    assert (field_scores["inverse_consistency_mm"] < 0.3).all()


def test_direction_of_the_field(known):
    """Pull: warped(x) = moving(x + u(x)). The opposite sign makes it worse than nothing."""
    batch = known.test.tensors
    truth = batch["displacement"]
    scores = [
        task.score({"forward": f, "backward": -f}, batch)["tre_mm"].mean()
        for f in (truth, torch.zeros_like(truth), -truth)
    ]
    assert scores[0] < scores[1] < scores[2]
    # One voxel down, then one to the right: the first channel is that of the rows.
    image = torch.rand(1, 1, 8, 8)
    down = torch.zeros(1, 2, 8, 8)
    down[:, 0] = 1
    assert torch.allclose(fields.warp(image, down)[..., :-1, :], image[..., 1:, :], atol=1e-5)


def test_between_donors_there_is_no_true_field_but_the_nuclei():
    splits = task.make(DONORS, "smoke", 0)
    assert "displacement" not in splits.test.tensors
    zeros = torch.zeros(len(splits.test), 2, 32, 32)
    scores = task.score({"forward": zeros, "backward": zeros}, splits.test.tensors)
    assert set(scores) == set(task.TASK.on(DONORS).metrics)
    assert torch.isfinite(scores["dice"]).all()


def test_centres_tell_left_from_right():
    label = torch.zeros(1, 1, 20, 20, dtype=torch.uint8)
    number = brain_pairs.labels("brain")["putamen"]
    label[0, 0, 9:12, 3:6] = number
    label[0, 0, 9:12, 14:17] = number
    found = brain_pairs.centres(label, torch.zeros(1, 2, 20, 20))[0]
    known = found[~found.isnan().any(1)]
    assert known.tolist() == [[10.0, 15.0], [10.0, 4.0]]


def test_two_contrasts_share_the_fixed_anatomy(contrasts):
    batch = contrasts.train.tensors
    truth = fields.warp(batch["moving"], batch["displacement"])
    same = (truth - batch["aligned"]).abs().mean()
    assert same < 0.5 * (batch["moving"] - batch["aligned"]).abs().mean()


def test_true_poses_score_zero_and_are_not_explained_exactly(poses):
    batch = poses.test.tensors
    scores = task.score({"pose": batch["true_pose"]}, batch)
    assert set(scores) == set(task.TASK.on(POSE).metrics)
    assert scores["tre_mm"].max() < 1e-3 and scores["success_percent"].min() == 100
    camera = pehl.camera_of(batch)
    residual = (pehl.drr_of(batch, batch["true_pose"], camera) - batch["xray"]).abs().mean()
    wrong = (pehl.drr_of(batch, batch["start_pose"], camera) - batch["xray"]).abs().mean()
    assert 0.001 < residual < 0.5 * wrong


def test_pose_errors_are_those_of_geometry(poses):
    batch = poses.test.tensors
    along, across = batch["true_pose"].clone(), batch["true_pose"].clone()
    along[:, 4] += 7.0  # away from the camera
    across[:, 5] += 7.0
    depth, side = (task.score({"pose": pose}, batch) for pose in (along, across))
    assert torch.allclose(depth["tre_mm"], torch.tensor(7.0), atol=1e-3)
    assert depth["projected_tre_mm"].max() < 1e-3 and depth["success_percent"].min() == 100
    assert torch.allclose(side["projected_tre_mm"], torch.tensor(7.0), atol=1e-3)
    assert side["success_percent"].max() == 0
    turned = batch["true_pose"].clone()
    turned[:, 1] += 30
    found = task.score({"pose": turned}, batch)["rotation_degrees"]
    assert torch.allclose(found, torch.tensor(30.0), atol=0.05)


def test_the_seed_decides_the_cases(known):
    again, other = (task.make(SLICES, "smoke", seed) for seed in (0, 1))
    assert torch.equal(again.test["fixed"], known.test["fixed"])
    assert not torch.equal(other.test["fixed"], known.test["fixed"])


# --- losses


def test_smoothness_bending_and_folding_of_known_fields():
    grid = fields.voxel_grid((12, 12))[None]
    stretched = 0.5 * grid
    assert losses.smoothness(stretched) == pytest.approx(0.125, rel=1e-5)  # half of the slopes
    assert losses.bending_energy(stretched) < 1e-8
    bent = torch.stack([grid[:, 0] ** 2, torch.zeros(1, 12, 12)], 1)
    assert losses.bending_energy(bent) == pytest.approx(4 / 2, rel=1e-4)  # 2² in one channel of two
    for slope in (-0.99, -0.5, 0.0, 2.0):
        assert losses.anti_fold(slope * grid) == 0
    assert losses.anti_fold(-1.5 * grid) == pytest.approx(2 * 0.5 * 2.25, rel=1e-4)


def test_inverse_inconsistency_compares_with_the_warped_negative():
    u, v = smooth_field(seed=1)[:1], smooth_field(seed=2)[:1]
    by_hand = (u - fields.warp(-v, u)).square().mean()
    assert torch.allclose(losses.inverse_inconsistency(u, v), by_hand)
    shift = torch.full((1, 2, 9, 9), 2.0)
    assert losses.inverse_inconsistency(shift, -shift) < 1e-10


def test_similarities_know_what_is_alike():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 1, 32, 32, generator=generator)
    other = torch.randn(2, 1, 32, 32, generator=generator)
    assert (losses.local_ncc(image, 3 - 2 * image) > 0.97).all()
    assert (losses.local_ncc(image, other) < 0.1).all()
    folded = (image.abs() - 0.7).abs()  # predictable, not correlated
    unrelated = losses.mutual_information(image, other)
    assert (losses.mutual_information(image, folded) > 2 * unrelated).all()


# --- baselines


@pytest.mark.parametrize("dims", [2, 3])
def test_b_splines_reproduce_straight_lines(dims):
    size, spacing = 17, 5.0
    bases = [free_form.basis(size, spacing)] * dims
    assert torch.allclose(bases[0].sum(1), torch.ones(size), atol=1e-5)
    points = (torch.arange(bases[0].shape[1]) - 1) * spacing
    one = torch.zeros(1, dims, *[len(points)] * dims)
    one[:, 0] = points.view(-1, *[1] * (dims - 1))
    wanted = fields.voxel_grid((size,) * dims)[None, :1]
    assert torch.allclose(free_form.free_form(one, bases)[:, :1], wanted, atol=1e-4)


def test_simpleitk_fields_have_our_axes_and_direction():
    line = torch.arange(48.0)
    ball = torch.exp(-((line[:, None] - 20) ** 2 + (line - 24) ** 2) / 60)[None, None]
    moved = torch.roll(ball, (4, -2), (2, 3))  # moving(x + (4, -2)) = fixed(x)
    for field in (
        itk.transform(ball, moved, "correlation", None),
        itk.demons(ball, moved, 2.0, 60),
    ):
        found = field[0, :, 20, 24]
        assert (found - torch.tensor([4.0, -2.0])).abs().max() < 1.0, found


@pytest.mark.parametrize("name", ["demons", "ffd_ncc", "bspline", "affine"])
def test_baselines_improve_on_nothing(name, known):
    cases = known.test.subset([0, 1])
    before = task.score(zero(cases.tensors), cases.tensors)["dissimilarity"]
    after = task.score(predict(catalogue.build(name), cases), cases.tensors)["dissimilarity"]
    assert after.mean() < 0.8 * before.mean()


def test_pose_search_improves_on_the_first_guess(poses):
    cases = poses.test.subset([0, 1])
    search = PoseSearch()
    search.steps = 30
    errors = [
        task.score({"pose": pose}, cases.tensors)["projected_tre_mm"].mean()
        for pose in (cases["start_pose"], predict(search, cases)["pose"])
    ]
    assert errors[1] < 0.7 * errors[0]


# --- the deep metric


def test_deep_metric_stacks_first_and_strides(contrasts):
    network = TwoChannelDeepMetric().network
    kinds = [type(layer) for layer in network]
    assert network[0].in_channels == 2 and not any("Pool" in kind.__name__ for kind in kinds)
    assert network(torch.zeros(1, 2, PATCH, PATCH)).shape == (1, 1, 1, 1)


def test_deep_metric_loss_is_the_hinge_of_aligned_and_displaced(contrasts):
    method = TwoChannelDeepMetric()
    method.network = nn.Sequential(nn.Flatten(), nn.Linear(2 * PATCH**2, 1))
    nn.init.zeros_(method.network[1].weight)
    for bias, loss in ((0.0, 2.0), (3.0, 4.0), (-3.0, 4.0)):  # relu(1 - b) + relu(1 + b)
        nn.init.constant_(method.network[1].bias, bias)
        assert next(method.losses(contrasts.train.tensors))[1].item() == pytest.approx(loss)


def test_patches_are_cut_where_they_should():
    image = torch.arange(32 * 32.0).view(1, 1, 32, 32)
    patch = patches_at(image, torch.tensor([[[10.0, 20.0]]]))
    assert torch.allclose(patch[0], image[0, :, 2:19, 12:29], atol=1e-2)


def test_deep_metric_optimises_through_the_frozen_network(contrasts):
    """A 'network' that measures the squared difference must register by it."""

    class Difference(nn.Module):
        def forward(self, both):
            return -(both[:, :1] - both[:, 1:]).square()

    one = contrasts.test["aligned"][:1]
    truth = torch.zeros(1, 2, 32, 32)
    truth[:, 0] = 2.0
    method = TwoChannelDeepMetric(weight=0.01)
    weights = [p.clone() for p in method.parameters()]
    method.predict({"fixed": one, "moving": one})
    assert all(torch.equal(a, b) for a, b in zip(weights, method.parameters(), strict=True))
    method.network = Difference()
    moved = fields.warp(one, -truth)
    with torch.no_grad():
        field = method.predict({"fixed": one, "moving": moved})["forward"]
    head = standardised(one)[:, 0] > 0
    assert abs(float(field[:, 0][head].mean()) - 2.0) < 0.5


def test_deep_metric_is_evaluated_once_because_it_optimises(contrasts):
    from course_lib.fit import fit
    from course_lib.tasks.base import Plan

    method = TwoChannelDeepMetric()
    method.descent = 1
    plan = Plan(steps=3, batch=2, evaluations=3)
    history = fit(method, task.TASK.on(TWO), contrasts, profile="smoke", seed=0, plan=plan)
    assert [row["step"] for row in history.curve] == [3]


def test_deep_metric_says_what_it_cannot_do(known):
    with pytest.raises(CourseError, match="brain_t1_t2"):
        TwoChannelDeepMetric().prepare(known.train)


# --- pose regression


def test_pose_regression_sees_residuals_only(poses):
    """Nothing is left to see where the DRR equals the picture."""
    batch = poses.test.batch(slice(0, 2))
    method = pehl.DRRPoseRegression()
    camera = pehl.camera_of(batch)
    own = batch | {"xray": pehl.drr_of(batch, batch["true_pose"], camera)}
    assert method.regions(own, batch["true_pose"]).abs().max() < 1e-5
    assert method.regions(own, batch["start_pose"]).abs().max() > 0.05


def test_pose_regression_has_three_groups_and_renders_anew(poses, monkeypatch):
    groups = [set(own) for own in pehl.GROUPS.values()]
    assert len(groups) == 3 and set.union(*groups) == set(range(6)) and sum(map(len, groups)) == 6
    seen = []
    render = pehl.drr_of
    monkeypatch.setattr(pehl, "drr_of", lambda b, pose, c: seen.append(pose) or render(b, pose, c))
    batch = poses.test.batch(slice(0, 2))
    with torch.no_grad():
        result = pehl.DRRPoseRegression(rounds=2).predict(batch)["pose"]
    assert len(seen) == 2 * 3 and not torch.equal(seen[1], seen[2])
    assert not torch.equal(result, batch["start_pose"])


def test_regions_follow_the_anchors(poses):
    camera = drr.Camera()
    anchors = pehl.ANCHORS[None]
    shifted = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 11.0]])
    moved = camera.shadow(drr.place(anchors, shifted)) - camera.shadow(anchors)
    assert torch.allclose(moved[..., 1], torch.tensor(11 * 1100 / 800 / 8), atol=1e-3)


# --- networks that answer fields


@pytest.mark.parametrize("name", ["voxelmorph", "supervised_ddf_regression", "icnet"])
@pytest.mark.parametrize("dims", [2, 3])
def test_networks_start_from_no_deformation(name, dims):
    method = catalogue.build(name, dims=dims)
    pair = torch.rand(1, 1, *[16] * dims), torch.rand(1, 1, *[16] * dims)
    field = method.network(*pair)
    assert field.shape == (1, dims, *[16] * dims) and field.abs().max() < 1e-2


def test_networks_turn_to_volumes_by_themselves():
    splits = task.make(VOLUMES, "smoke", 0)
    for name in ("voxelmorph", "icnet"):
        method = catalogue.build(name)
        method.prepare(splits.train)
        assert method.predict(splits.test.batch(slice(0, 1)))["forward"].shape == (1, 3, 16, 16, 16)


def test_voxelmorph_needs_no_label_and_no_field(known):
    batch = known.train.batch(slice(0, 2))
    images_only = {key: batch[key] for key in ("fixed", "moving")}
    method = VoxelMorph(similarity="mse", weight=0.0)
    (_, loss), *more = method.losses(images_only)
    one, other = standardised(batch["fixed"]), standardised(batch["moving"])
    assert not more and loss.item() == pytest.approx(float((one - other).square().mean()), rel=0.01)
    with pytest.raises(CourseError, match="mse"):
        VoxelMorph(similarity="mi")


def test_voxelmorph_weighs_smoothness(known):
    batch = known.train.batch(slice(0, 2))
    method = VoxelMorph(weight=0.0)
    nn.init.normal_(method.network.field.weight, std=0.2)
    plain = next(method.losses(batch))[1].item()
    method.weight = 2.0
    field = method.network(standardised(batch["moving"]), standardised(batch["fixed"]))
    smooth = losses.smoothness(field).item()
    assert next(method.losses(batch))[1].item() == pytest.approx(plain + 2 * smooth, rel=1e-3)


def test_supervised_loss_looks_at_no_image(known):
    """The loss is the distance to the label field, whatever the images show."""
    batch = known.train.batch(slice(0, 2))
    method = SupervisedDDFRegression()
    nn.init.zeros_(method.network.field.weight)
    wanted = batch["displacement"].norm(dim=1).mean()
    for images in (batch, batch | {"fixed": batch["moving"]}):
        assert next(method.losses(images))[1].item() == pytest.approx(float(wanted), rel=1e-3)


def test_supervised_labels_come_from_their_source(known):
    batch = known.train.batch(slice(0, 2))
    exact, noisy, demons, few = (
        SupervisedDDFRegression(name).label_fields(batch)
        for name in ("exact", "noisy", "demons", "demons_few")
    )
    assert torch.equal(exact, batch["displacement"])
    assert 0.7 < float((noisy - exact).std()) < 2.5
    assert torch.equal(noisy, SupervisedDDFRegression("noisy").label_fields(batch))
    assert torch.equal(
        demons, Demons().register(*map(standardised, (batch["fixed"], batch["moving"])))
    )
    assert not torch.equal(few, demons)
    sizes = {
        sum(p.numel() for p in SupervisedDDFRegression(name).parameters())
        for name in ("exact", "demons")
    }
    assert len(sizes) == 1


def test_supervised_keeps_each_pairs_own_label(known):
    method = SupervisedDDFRegression("noisy")
    method.prepare(known.train)
    drawn = task.sample(known.train, "smoke", 3, torch.Generator().manual_seed(0))
    noise = method.fields[drawn["number"]] - drawn["displacement"]
    assert noise.abs().max() > 0.5
    whole = method.fields - known.train["displacement"]
    assert torch.allclose(noise, whole[drawn["number"]])


def test_supervised_says_what_it_lacks():
    donors = task.make(DONORS, "smoke", 0)
    with pytest.raises(CourseError, match="labels=demons"):
        SupervisedDDFRegression().prepare(donors.train)
    with pytest.raises(CourseError, match="exact"):
        SupervisedDDFRegression("syn")


def test_icnet_runs_one_network_both_ways(known):
    batch = known.train.batch(slice(0, 2))
    method = ICNet()
    nn.init.normal_(method.network.field.weight, std=0.3)
    one, other = batch["moving"], batch["fixed"]
    u, v = method(one, other)
    assert torch.allclose(u, method.network(one, other), atol=1e-5)
    assert torch.allclose(v, method.network(other, one), atol=1e-5)
    assert u.abs().max() <= method.reach


def test_icnet_weighs_four_terms(known):
    batch = known.train.batch(slice(0, 2))
    method = ICNet()
    nn.init.normal_(method.network.field.weight, std=0.3)
    one, other = standardised(batch["moving"]), standardised(batch["fixed"])
    terms = {name: float(value) for name, value in method.terms(one, other).items()}
    assert list(terms) == ["similarity", "consistency", "folding", "smooth"]
    u, v = method(one, other)
    assert terms["folding"] == pytest.approx(float(losses.anti_fold(u) + losses.anti_fold(v)))
    for name in terms:
        only = {other_name: float(other_name == name) for other_name in terms}
        alone = ICNet(**only)
        alone.network = method.network
        assert next(alone.losses(batch))[1].item() == pytest.approx(terms[name], rel=1e-4)


def test_pose_and_field_methods_explain_the_other_data_set(known, poses):
    with pytest.raises(CourseError, match="chest_drr/pose"):
        pehl.DRRPoseRegression().predict(known.test.tensors)
    with pytest.raises(CourseError, match="known_fields"):
        VoxelMorph().predict(poses.test.tensors)


def test_landmarks_of_the_chest_lie_in_it():
    points = xrays.patient(16.0).landmarks
    assert len(points) >= 12 and points.abs().max() < 200


# --- the user's own data


def pictures_of(count, size=(40, 30)):
    from pathlib import Path

    from course_lib.data.own import Pictures

    generator = torch.Generator().manual_seed(0)
    images = tuple(torch.rand(*size, generator=generator).numpy() for _ in range(count))
    return Pictures(Path("pictures"), "measured", "own", images, tuple("abcdefgh"[:count]))


def test_own_pictures_become_pairs_split_by_subject():
    splits = task.own_cases(pictures_of(6), "smoke", 0)
    trained = {name for case in splits.train.case for name in case.split("+")}
    tested = set(splits.test.subject)
    assert not tested & trained and not set(splits.validation.subject) & (trained | tested)
    assert splits.test["fixed"].shape[2:] == (32, 32)
    # One test subject alone is registered to training subjects, both ways.
    assert all(case.startswith(s) or case.endswith(s) for case, s in
               zip(splits.test.case, splits.test.subject, strict=True))  # fmt: skip
    zeros = torch.zeros(len(splits.test), 2, 32, 32)
    scores = task.score({"forward": zeros, "backward": zeros}, splits.test.tensors)
    assert set(scores) == set(task.TASK.on("path:somewhere/else").metrics)
    assert scores["dice"].isnan().all() and scores["dissimilarity"].isfinite().all()


def test_own_volumes_keep_labels_and_proportions():
    from pathlib import Path

    import numpy as np

    from course_lib.data.own import Scans
    from course_lib.data.volume import Volume

    label = np.zeros((10, 20, 20), np.uint8)
    label[3:7, 5:15, 5:15] = 2
    volumes = tuple(
        Volume(label + 0.1 * k, (2.0, 1.0, 1.0), f"s{k}", "a.u.", (0, 0, 0), {"label": label})
        for k in range(8)
    )
    splits = task.own_cases(Scans(Path("scans"), "measured", "own", volumes), "smoke", 0)
    assert splits.test["fixed"].shape[2:] == (16, 16, 16)
    inside = splits.test["fixed_label"][0, 0] == 2
    extents = [int(inside.any(dim=d).any(dim=0).sum()) for d in (1, 0)]
    assert abs(extents[0] * 20 / 16 - 8) <= 2 and abs(extents[1] * 20 / 16 - 10) <= 2
    zeros = torch.zeros(len(splits.test), 3, 16, 16, 16)
    scores = task.score({"forward": zeros, "backward": zeros}, splits.test.tensors)
    assert torch.allclose(scores["dice"], torch.ones(1))


def test_own_data_that_do_not_fit_are_explained():
    with pytest.raises(CourseError, match="At least 4"):
        task.own_cases(pictures_of(3), "smoke", 0)
