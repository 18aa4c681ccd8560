"""Classification: who is tested, what scores mean; and what makes each method itself."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import catalogue, device
from course_lib.data.lesions import stored
from course_lib.data.own.kinds import Labelled, Pictures
from course_lib.errors import CourseError
from course_lib.fit import fit, predict
from course_lib.lesson.widgets.decision import Decision, decision_explorer
from course_lib.methods.classification import agcnn_thorax as agcnn
from course_lib.methods.classification import curriculum_learning as curriculum
from course_lib.methods.classification.fine_tuning import FineTuning
from course_lib.methods.classification.fixed_features_ml import FixedFeaturesML
from course_lib.methods.classification.majority import Majority
from course_lib.methods.classification.radiomics_ml import RadiomicsML
from course_lib.methods.classification.resnet_baseline import ResNetBaseline
from course_lib.metrics import classification as metrics
from course_lib.parts.classification import backbone, radiomics
from course_lib.parts.classification.learners import Learner, Remembered
from course_lib.parts.efficientnet_lite import EfficientNetLite0
from course_lib.parts.intensity import unit_range
from course_lib.parts.resnet import BasicBlock, ResNet
from course_lib.tasks.base import Plan, Splits
from course_lib.tasks.classification import malignancy as task


@pytest.fixture
def cases(splits):
    return splits("classification")


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def weights(module):
    return torch.cat([value.flatten() for value in module.state_dict().values()])


# --- the task


def test_no_patient_is_in_two_parts_and_others_count_once():
    own = {part: [n.patient for n in nodules] for part, nodules in stored.split().items()}
    names = {part: set(found) for part, found in own.items()}
    assert not names["train"] & names["test"] and not names["validation"] & names["test"]
    assert not names["train"] & names["validation"]
    for part in ("validation", "test"):
        assert len(own[part]) == len(names[part])
    assert len(own["train"]) > len(names["train"])


def test_cases_are_split_like_the_patients(cases):
    known = set(cases.train.subject) | set(cases.validation.subject)
    assert not known & set(cases.test.subject)
    assert not set(cases.train.subject) & set(cases.validation.subject)
    assert set(cases.test.group) == {task.OTHER_PATIENTS, task.OTHER_SCANNER}


def test_labels_are_the_readers_opinion_and_no_case_is_undecided(cases):
    for part in (cases.train, cases.validation, cases.test):
        assert torch.equal(part["label"], (part["malignancy"] > 3).long())
        assert (part["malignancy"] != 3).all()
        assert 0 < part["label"].float().mean() < 1
    assert cases.train.provenance["label"] == "readers' mean opinion"


def test_the_whole_nodule_lies_in_every_case(cases):
    for mask in (cases.test["mask"], cases.train["mask"], cases.validation["mask"]):
        assert (mask.flatten(1).sum(1) > 0).all()
        border = torch.cat([mask[..., 0, :], mask[..., -1, :], mask[..., 0], mask[..., -1]])
        assert border.float().mean() < 0.01
    generator = torch.Generator().manual_seed(0)
    batch = task.sample(cases.train, "smoke", 16, generator)
    assert (batch["mask"].flatten(1).sum(1) > 0).all()


def test_sampling_moves_image_and_mask_together(cases):
    train = cases.train
    wide = train["wide"].clone()
    wide[train["wide_mask"] > 0] = 5000.0
    marked = Splits(train, train, train).train
    marked.tensors["wide"], kept = wide, marked.tensors["wide"]
    batch = task.sample(marked, "smoke", 8, torch.Generator().manual_seed(0))
    marked.tensors["wide"] = kept
    assert torch.equal(batch["image"] == 5000.0, batch["mask"] > 0)
    assert "wide" not in batch


def test_sampling_moves_the_background_as_the_image(cases):
    """Outside the nodule the two are the same lung, whatever the shift and the turn."""
    batch = task.sample(cases.train, "smoke", 12, torch.Generator().manual_seed(0))
    outside = ~F.max_pool2d(batch["mask"].float(), 9, 1, 4).bool()
    apart = (batch["image"] - batch["background"]).abs()[outside]
    assert apart.median() < 1 and (batch["background"] != cases.train["background"][0]).any()


def test_the_ruler_counts_the_outline_and_nothing_else(cases):
    ruler = catalogue.build("nodule_size")
    ruler.prepare(cases.train)
    batch = cases.test.tensors
    before = ruler.predict(batch)
    area = batch["mask"].flatten(1).sum(1)
    assert before[area.argsort(stable=True), 1].diff().min() >= 0  # larger is more suspicious
    assert torch.equal(ruler.predict(batch | {"image": 0 * batch["image"]}), before)
    ball = torch.ones(1, 1, 3, 4, 5), torch.tensor([2.0])
    volume = ruler.logarithm({"mask": ball[0], "pixel_mm": ball[1]})
    assert volume.exp().item() == pytest.approx(60 * 8)
    drawn = catalogue.build("nodule_size", outline="threshold")
    drawn.prepare(cases.train)
    assert torch.equal(drawn.predict(batch | {"mask": 0 * batch["mask"]}), drawn.predict(batch))
    with pytest.raises(CourseError, match="readers"):
        catalogue.build("nodule_size", outline="mine")


@pytest.mark.parametrize("count", [10, 4])
def test_small_sets_hold_both_labels_and_follow_the_seed(cases, count):
    drawn = [
        task._draw(cases.train, count, torch.Generator().manual_seed(seed)).case
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    part = task._draw(cases.train, count, torch.Generator().manual_seed(0))
    assert len(part) == count and part["label"].sum() == count // 2


def test_noisy_labels_are_wrong_for_a_fifth_of_training_and_nowhere_else():
    clean, noisy = (task.make(f"nodules/{name}", "smoke", 0) for name in ("300", "300_noisy"))
    wrong = (clean.train["label"] != noisy.train["label"]).float().mean()
    assert float(wrong) == pytest.approx(task.WRONG_LABELS, abs=1 / len(clean.train))
    assert torch.equal(clean.test["label"], noisy.test["label"])
    assert torch.equal(clean.train["image"], noisy.train["image"])


def test_the_seed_leaves_validation_and_test_alone(cases):
    other = task.make("nodules/10", "smoke", 7)
    assert other.test.case == cases.test.case
    assert torch.equal(other.test["image"], cases.test["image"])
    assert torch.equal(other.validation["image"], cases.validation["image"])


def test_the_other_scanner_is_softer_noisier_and_shows_the_same(cases):
    half = len(cases.test) // 2
    first, second = (cases.test.subset(range(k, k + half)) for k in (0, half))
    assert first.subject == second.subject and torch.equal(first["label"], second["label"])
    assert (second["scanner"] == 1).all() and (first["scanner"] == 0).all()
    change = second["image"] - first["image"]
    assert 40 < change.std() < 150 and abs(change.mean()) < 3
    wide = torch.tensor([0.0] * 16 + [1000.0] * 16).expand(1, 1, 32, 32)
    soft = task.softer_and_noisier(wide, 1.0, 0.0, torch.Generator().manual_seed(0))
    assert 150 < (soft[0, 0, 16, 15]) < 450 and soft.mean() == pytest.approx(500, rel=1e-3)


# --- scores


def test_scores_of_a_scanner_are_those_of_its_set(cases):
    batch = cases.test.tensors
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(len(cases.test), 2, generator=generator).softmax(1)
    scores = task.score(prediction, batch)
    for which in (0, 1):
        own = batch["scanner"] == which
        p, t = prediction[own], batch["label"][own]
        for name, value in (
            ("auc", metrics.auc(p[:, 1], t)),
            ("balanced_accuracy", metrics.balanced_accuracy(p.argmax(1), t, 2)),
            ("ece", metrics.calibration_error(p, t)),
            ("brier", metrics.brier(p, t).mean()),
        ):
            assert float(scores[name][own].mean()) == pytest.approx(float(value), abs=1e-5), name
        recall = metrics.recall_per_class(p.argmax(1), t, 2)
        assert float(scores["specificity"][own].nanmean()) == pytest.approx(float(recall[0]))
        assert float(scores["sensitivity"][own].nanmean()) == pytest.approx(float(recall[1]))


def test_perfect_and_opposite_predictions(cases):
    truth = nn.functional.one_hot(cases.test["label"], 2).float()
    right, wrong = (task.score(p, cases.test.tensors) for p in (truth, 1 - truth))
    assert (right["auc"] == 1).all() and (wrong["auc"] == 0).all()
    assert (right["brier"] == 0).all() and (wrong["brier"] == 2).all()


def test_pictures_show_the_probability_as_a_bar(cases):
    batch = cases.test.batch(slice(0, 2))
    panels = task.pictures(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), batch)
    assert panels["output"].values.mean((1, 2)).tolist() == [0.0, 0.75]
    assert torch.equal(panels["truth"].values.mean((1, 2)), batch["label"].float())


# --- the baselines


def test_majority_says_how_frequent_each_class_is(cases):
    method = Majority()
    method.prepare(cases.train)
    prediction = method.predict(cases.test.tensors)
    share = cases.train["label"].float().mean()
    assert torch.allclose(prediction[:, 1], share.expand(len(prediction)))
    assert float(task.score(prediction, cases.test.tensors)["auc"].mean()) == 0.5


def disc(radius, size=64, mm=0.5, value=100.0, background=-800.0):
    """A disc in the middle as a batch of one."""
    place = torch.arange(size) - size / 2
    mask = (place[:, None] ** 2 + place**2 < radius**2)[None, None]
    image = torch.where(mask, value, background)
    return {
        "image": image,
        "mask": mask.to(torch.uint8),
        "window": torch.tensor([[-1000.0, 400.0]]),
        "pixel_mm": torch.tensor([mm]),
    }


def measured(batch):
    return dict(zip(radiomics.FEATURES, radiomics.radiomics(batch)[0].tolist(), strict=True))


def test_radiomic_features_of_a_disc_are_known_and_in_their_units():
    found = measured(disc(12))
    assert found["area"] == pytest.approx(np.pi * 6**2, rel=0.05)
    for name in ("equivalent_diameter", "longest_diameter"):
        assert found[name] == pytest.approx(12, rel=0.06)
    assert found["perimeter"] == pytest.approx(np.pi * 12, rel=0.06)
    assert found["circularity"] == pytest.approx(1, abs=0.12)
    assert found["mean"] == 100 and found["spread"] == 0 and found["entropy"] == 0
    assert found["rim_contrast"] == pytest.approx(900)
    assert found["glcm_contrast"] == 0 and found["glcm_homogeneity"] == pytest.approx(1)
    assert set(radiomics.FEATURES.values()) >= {"mm", "mm²", "grey", "grey/mm", ""}


def test_shape_follows_the_pixel_size_and_texture_does_not():
    small, large = measured(disc(10)), measured(disc(10, mm=1.0))
    assert large["area"] == pytest.approx(4 * small["area"])
    assert large["glcm_contrast"] == small["glcm_contrast"]


def test_intraclass_correlation_against_its_definition():
    """Shrout and Fleiss's own example (their Table 2), readers 1 and 4: by analysis of variance."""
    first = torch.tensor([9.0, 6, 8, 7, 10, 6])[:, None]
    assert float(radiomics.agreement(first, first)) == pytest.approx(1)
    shifted = radiomics.agreement(first, first + 2)
    row = 2 * float(first.var())
    assert float(shifted) == pytest.approx(row / (row + 2 * 12 / 6))
    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    other = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1))
    assert abs(float(radiomics.agreement(noise, other))) < 0.05


def test_another_outline_differs_a_little_and_size_is_stable_where_lbp_is_not(cases):
    mask = cases.train["mask"]
    other = radiomics.another_outline(mask, torch.Generator().manual_seed(0))
    overlap = ((mask > 0) & (other > 0)).sum() / ((mask > 0) | (other > 0)).sum()
    assert 0.6 < float(overlap) < 0.99
    method = RadiomicsML()
    method.prepare(cases.train)
    assert method.stability["area"] > 0.9
    assert method.stability["area"] > method.stability["lbp_0"]
    assert 3 < int(method.stable.sum()) < len(radiomics.FEATURES)


def test_the_threshold_outline_finds_the_nodule_unless_it_touches(cases):
    drawn = radiomics.threshold_outline(disc(12))
    assert ((drawn > 0) == (disc(12)["mask"] > 0)).float().mean() > 0.995
    beside = disc(12)
    beside["image"][..., 50:] = 100.0  # a wall far from the middle
    assert (radiomics.threshold_outline(beside)[..., 50:] == 0).all()
    batch = cases.test.tensors | {"mask": torch.zeros_like(cases.test["mask"])}
    method = RadiomicsML(outline="threshold")
    method.prepare(cases.train)
    blind, seeing = (method.predict(b) for b in (batch, cases.test.tensors))
    assert torch.equal(blind, seeing)  # it never looks at the readers' outline


def test_selection_inside_the_folds_finds_nothing_in_noise_and_outside_it_does():
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.model_selection import cross_val_score

    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((60, 2000)), np.repeat([0, 1], 30)
    pipeline = Learner("logistic_01", 2, select=5).build()
    inside = cross_val_score(pipeline, x, y, cv=5, scoring="roc_auc").mean()
    leaked = SelectKBest(f_classif, k=5).fit_transform(x, y)
    plain = Learner("logistic_01", 2).build()
    outside = cross_val_score(plain, leaked, y, cv=5, scoring="roc_auc").mean()
    assert inside < 0.65 and outside > 0.8


def test_three_kinds_of_classifier_and_several_numbers_of_features_are_compared():
    kinds = {settings["classifier"].split("_")[0] for settings in RadiomicsML.grid}
    assert kinds == {"logistic", "svm", "forest"}
    assert {settings["select"] for settings in RadiomicsML.grid} == {1, 5, None}


@pytest.mark.parametrize("name", ["logistic_1", "svm", "forest"])
@pytest.mark.parametrize("per_class", [1, 3, 20])
def test_learners_give_probabilities_from_any_number_of_cases(name, per_class):
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(3).repeat(per_class)
    features = torch.randn(len(label), 4, generator=generator) + 3 * label[:, None]
    found = Learner(name, 4).fit(features, label)(features)
    assert found.shape == (len(label), 4) and torch.allclose(found.sum(1), torch.ones(len(label)))
    assert (found[:, 3] == 0).all()  # a class that was never seen
    if per_class == 20:
        assert (found.argmax(1) == label).float().mean() > 0.9


def test_remembered_features_are_worked_out_once_per_case():
    seen = []

    def work(batch):
        seen.append(len(batch["image"]))
        return {"mean": batch["image"].mean(1, keepdim=True)}

    remembered = Remembered(work)
    batch = {"image": torch.arange(12.0).reshape(6, 2)}
    first, again = remembered(batch), remembered({"image": batch["image"].flip(0)})
    assert sum(seen) == 6
    assert torch.equal(first["mean"], again["mean"].flip(0))


def test_fixed_features_leave_the_network_as_it_was(cases):
    method = FixedFeaturesML()
    before = backbone.fingerprint(method.network)
    parts = Splits(cases.train, cases.validation.subset([0, 1, 2]), cases.test)
    fit(method, task.TASK, parts, profile="smoke", seed=0, progress=False)
    predict(method, cases.test.subset([0]))
    assert backbone.fingerprint(method.network) == before
    method.network._conv_stem.weight.data[0, 0, 0, 0] += 1e-3
    assert backbone.fingerprint(method.network) != before


def test_grey_images_and_volumes_become_what_the_network_was_trained_on():
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures, slices = backbone.as_pictures(grey)
    side = backbone.SIDE
    assert pictures.shape == (2, 3, side, side) and slices == 1
    assert torch.equal(pictures[:, 0], pictures[:, 2])
    assert pictures.min() >= -127 / 128 and pictures.max() <= 1
    pictures, slices = backbone.as_pictures(torch.rand(2, 1, 20, 28, 28))
    assert pictures.shape == (16, 3, side, side) and slices == 8


def test_random_features_are_calibrated_so_that_they_do_not_fade(cases):
    with device.seeded(0):
        network = EfficientNetLite0().eval()
    unit = unit_range(cases.train.tensors)[:8]
    faded = backbone.pooled(network, unit)["head"].std(0).mean()
    backbone.calibrate(network, unit)
    alive = backbone.pooled(network, unit)["head"].std(0).mean()
    assert alive > 3 * faded


# --- the networks: the catalogue's faithful minimum


def silenced(block):
    for parameter in block.residual.parameters():
        nn.init.zeros_(parameter)
    return block.eval()


def test_a_block_without_its_residual_is_the_identity_and_the_plain_twin_is_not():
    x = torch.rand(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(silenced(BasicBlock(4, 4))(x), x)
    assert (silenced(BasicBlock(4, 4, shortcut=False))(x) == 0).all()


def test_shortcuts_are_projections_exactly_where_the_shape_changes():
    kinds = [type(stage.shortcut) for stage in ResNet(2).stages]
    assert kinds == [nn.Identity, nn.Sequential, nn.Sequential, nn.Sequential]
    assert all(stage.shortcut is None for stage in ResNet(2, shortcuts=False).stages)


def test_the_residual_network_has_monais_layers():
    from monai.networks.nets import ResNet as Monai

    theirs = Monai("basic", [1, 1, 1, 1], [16, 32, 64, 128], 2, 1, num_classes=2, shortcut_type="B")
    count = [sum(p.numel() for p in net.parameters()) for net in (ResNet(2), theirs)]
    assert abs(count[0] - count[1]) <= 32 * 16 and 300_000 < count[0] < 312_000
    shapes = [{tuple(p.shape) for p in net.parameters()} for net in (ResNet(2), theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("dims", [2, 3])
def test_global_average_pooling_takes_images_of_any_size(dims):
    network = ResNet(3, 2, dims).eval()
    for side in (16, 24):
        x = torch.rand(1, 2, *[side] * dims)
        assert network(x).shape == (1, 3)
        assert torch.allclose(network.features(x), network.maps(x)[-1].flatten(2).mean(2))
    assert len(layers(network, nn.Linear)) == 1


def test_networks_fit_other_data(cases):
    colour = {"image": torch.rand(4, 3, 28, 28), "classes": torch.full((4,), 5)}
    solid = {"image": torch.rand(4, 1, 12, 12, 12), "classes": torch.full((4,), 5)}
    for tensors in (colour, solid):
        tensors |= {"window": torch.tensor([[0.0, 1.0]] * 4), "label": torch.arange(4)}
        names = [str(k) for k in range(4)]
        train = type(cases.train)(tensors, names, names, names, torch.ones(4, 2))
        for method in (ResNetBaseline(), FineTuning(depth=0)):
            method.prepare(train)
            assert method.eval().predict(tensors).shape == (4, 5)


def test_fine_tuning_and_scratch_share_the_architecture():
    shapes = [
        {name: value.shape for name, value in FineTuning(weights).state_dict().items()}
        for weights in ("imagenet", "random")
    ]
    assert shapes[0] == shapes[1]


def test_depth_frees_more_and_more_of_the_network():
    free = []
    for depth in range(8):
        method = FineTuning(depth=depth)
        parts = [p for p in method.network.parameters() if p.requires_grad]
        free.append(sum(p.numel() for p in parts))
    assert free[0] == 0 and all(a < b for a, b in pairwise(free))
    total = sum(p.numel() for p in FineTuning(depth=7).network.parameters())
    assert free[7] == total
    with pytest.raises(CourseError, match="depth"):
        FineTuning(depth=8)


def test_fine_tuning_changes_the_head_first_and_then_only_what_is_free(cases):
    method = FineTuning(depth=1)
    frozen = [*method.network._blocks[: method.network.ends[-2]], method.network._conv_stem]
    before = [weights(part).clone() for part in frozen], weights(method.network._conv_head).clone()
    generator = torch.Generator().manual_seed(0)
    batch = task.sample(cases.train, "smoke", 4, generator)
    for stage, moved in (("head", False), ("tune", True)):
        method.stage = stage
        method.train()
        players = list(method.players()["network"])
        optimiser = method.optimiser("network", players)
        ((_, loss),) = method.losses(batch)
        loss.backward(inputs=players)
        optimiser.step()
        same = torch.equal(weights(method.network._conv_head), before[1])
        assert same != moved
        assert all(torch.equal(weights(a), b) for a, b in zip(frozen, before[0], strict=True))
    rates = [group["lr"] for group in optimiser.param_groups]
    assert rates[0] == pytest.approx(10 * rates[1])


def test_the_near_source_asks_for_the_nodule_and_never_for_the_label(cases):
    method = FineTuning("near").train()
    assert [stage.name for stage in method.stages] == ["source", "tune"]
    method.stage = "source"
    batch = task.sample(cases.train, "smoke", 4, torch.Generator().manual_seed(0))
    values = []
    for label in (batch["label"], 1 - batch["label"]):
        with torch.no_grad():
            ((_, loss),) = method.losses(batch | {"label": label})
        values.append(float(loss))
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_difficulty_and_pace_are_separate_and_the_pace_reaches_everything(cases):
    pace = curriculum.LinearPace(0.3, 0.6)
    assert [round(pace(t), 3) for t in (0, 0.3, 0.6, 1)] == [0.3, 0.65, 1, 1]
    difficulty = curriculum.disagreement(cases.train)
    far = (cases.train["malignancy"] - 3).abs()
    assert torch.equal(difficulty.argsort(stable=True), (-far).argsort(stable=True))
    teacher = curriculum.teacher_loss(cases.train)
    assert teacher.shape == difficulty.shape and (teacher >= 0).all() and teacher.std() > 0


@pytest.mark.parametrize("order", curriculum.ORDERS)
def test_orders_draw_equally_many_cases_of_both_classes(cases, order):
    with device.seeded(0):
        method = curriculum.CurriculumLearning(order)
        method.prepare(cases.train)
    pools = [method.pool(done) for done in (0.0, 0.3)]
    assert [len(p) for p in pools] == [round(s * len(cases.train)) for s in (0.3, 0.65)]
    assert set(pools[0]) < set(pools[1]) and method.pool(0.6) is None
    label = cases.train["label"][torch.tensor(pools[0])]
    assert 0 < label.float().mean() < 1
    hard = curriculum.disagreement(cases.train)
    inside = hard[torch.tensor(pools[0])].mean()
    if order != "random":
        assert (inside < hard.mean()) == (order == "easy")


def test_the_loop_draws_from_the_pool_and_makes_as_many_updates(cases, monkeypatch):
    drawn = []

    def sample(train, profile, count, generator):
        drawn.append(len(train))
        return task.sample(train, profile, count, generator)

    plain = task.TASK
    watched = type(plain)(**{**vars(plain), "sample": sample})
    method = curriculum.CurriculumLearning()
    plan = Plan(steps=5, batch=2, evaluations=1)
    history = fit(method, watched, cases, profile="smoke", seed=0, plan=plan, progress=False)
    assert history.steps == 5 and len(drawn) == 5
    assert drawn[0] == round(0.3 * len(cases.train)) and drawn[-1] == len(cases.train)
    assert drawn == sorted(drawn)


def test_the_heat_map_is_the_largest_absolute_activation():
    maps = torch.zeros(1, 3, 4, 4)
    maps[0, 1, 1, 2], maps[0, 2, 3, 0] = -5.0, 2.0
    heat = agcnn.heat_map(maps, (4, 4))[0]
    assert heat[1, 2] == 1 and heat[3, 0] == pytest.approx(0.4) and heat.min() == 0


def test_the_box_is_that_of_the_largest_connected_region_and_shrinks_with_tau():
    heat = np.zeros((20, 20))
    heat[2:4, 2:4] = 1.0  # brighter, but smaller
    heat[8:14, 10:19] = 0.8
    assert agcnn.attended_box(heat, 0.7) == (8, 10, 14, 19)
    assert agcnn.attended_box(heat, 0.9) == (2, 2, 4, 4)
    assert agcnn.attended_box(heat, 1.5) == (0, 0, 20, 20)
    place = np.linspace(-1, 1, 33)
    hill = np.exp(-(place[:, None] ** 2 + place**2))
    sides = [agcnn.attended_box(hill, tau)[2] for tau in (0.3, 0.5, 0.7, 0.9)]
    assert all(a > b for a, b in pairwise(sides))
    assert agcnn.at_least((0, 17, 2, 20), 8, (20, 20)) == (0, 12, 8, 20)


def test_the_crop_never_depends_on_label_or_outline(cases):
    batch = cases.test.batch(slice(0, 3))
    spoiled = batch | {"mask": torch.zeros_like(batch["mask"]), "label": 1 - batch["label"]}
    method = agcnn.AGCNN().eval()
    with torch.no_grad():
        assert torch.equal(method.predict(batch), method.predict(spoiled))
        oracle = agcnn.AGCNN(crop="outline").eval()
        oracle.load_state_dict(method.state_dict())
        assert not torch.equal(oracle.predict(batch), method.predict(batch))
    moved = agcnn.AGCNN(crop="random").eval().boxes(torch.rand(2, 64, 64))
    assert all(0 <= t < b <= 64 and 0 <= a < c <= 64 for t, a, b, c in moved)


def test_three_stages_each_train_their_part_only(cases):
    method = agcnn.AGCNN()
    assert [stage.name for stage in method.stages] == ["global", "local", "fusion"]
    parts = {"global": method.whole, "local": method.local, "fusion": method.fusion}
    batch = task.sample(cases.train, "smoke", 4, torch.Generator().manual_seed(0))
    for stage in method.stages:
        method.stage = stage.name
        method.train()
        before = {name: weights(part).clone() for name, part in parts.items()}
        players = list(method.players()["network"])
        ((_, loss),) = method.losses(batch)
        loss.backward(inputs=players)
        method.optimiser("network", players).step()
        moved = {
            name for name, part in parts.items() if not torch.equal(weights(part), before[name])
        }
        # The frozen global branch keeps even its running statistics.
        assert moved == {stage.name}


def test_branches_are_scored_apart_and_the_fusion_is_what_counts(cases):
    batch = cases.test.batch(slice(0, 4))
    method = agcnn.AGCNN().eval()
    with torch.no_grad():
        found = method.branches(batch)
        assert list(found) == ["global", "local", "fusion"]
        assert torch.equal(method.predict(batch), found["fusion"])
        method.stage = "global"
        assert torch.equal(method.predict(batch), found["global"])
    assert len({float(p[0, 1]) for p in found.values()}) == 3


def test_refs_and_kinds_of_the_catalogue():
    entries = catalogue.methods("classification")
    assert {e.id for e in entries if e.baseline} == {
        "majority",
        "nodule_size",
        "radiomics_ml",
        "fixed_features_ml",
    }
    assert {e.id: e.ref for e in entries if e.ref} == {
        "radiomics_ml": 93,
        "curriculum_learning": 101,
        "agcnn_thorax": 102,
    }


# --- data of one's own, and the widget


def labelled(tmp_path, shape=(12, 12), classes=3, several=False):
    generator = np.random.default_rng(0)
    counts = {"train": 12, "validation": 6, "test": 6}
    return Labelled(
        source=tmp_path,
        provenance="MedMNIST toymnist, unverified file",
        licence="none",
        images={k: generator.random((n, 1, *shape), dtype=np.float32) for k, n in counts.items()},
        labels={
            k: np.eye(classes, dtype=np.int64)[np.arange(n) % classes]
            if several
            else np.arange(n) % classes
            for k, n in counts.items()
        },
        classes=tuple("abc"[:classes]),
        subjects={k: [f"{k}-{i}" for i in range(n)] for k, n in counts.items()},
    )


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 12)])
def test_own_labelled_images_go_through_the_whole_way(tmp_path, shape):
    splits = task.own_cases(labelled(tmp_path, shape), "smoke", 0)
    assert not set(splits.train.subject) & set(splits.test.subject)
    assert "unverified" in splits.test.provenance["image"]
    batch = task.sample(splits.train, "smoke", 4, torch.Generator().manual_seed(0))
    assert batch["image"].shape == (4, 1, *shape)
    method = ResNetBaseline()
    fit(method, task.TASK, splits, profile="smoke", seed=0, plan=Plan(2, 4, 1), progress=False)
    prediction = predict(method, splits.test)
    scores = task.score(prediction, splits.test.tensors)
    assert prediction.shape == (6, 3)
    assert scores["auc"].isfinite().all() and scores["sensitivity"].isnan().all()
    panels = task.pictures(prediction, splits.test.tensors)
    assert panels["input"].values.shape == (6, 12, 12)


def test_own_data_that_do_not_fit_say_so(tmp_path):
    pictures = Pictures(tmp_path, "", "", images=(), names=())
    with pytest.raises(CourseError, match="classification needs"):
        task.own_cases(pictures, "smoke", 0)
    with pytest.raises(CourseError, match="several labels"):
        task.own_cases(labelled(tmp_path, several=True), "smoke", 0)


def test_the_widgets_numbers():
    decision = Decision(torch.tensor([0.1, 0.4, 0.6, 0.9]), torch.tensor([0, 1, 0, 1]))
    assert decision.rates(0.5) == (0.5, 0.5)
    assert decision.true_alarms(0.5, 0.5) == pytest.approx(0.5)
    assert decision.true_alarms(0.5, 0.1) == pytest.approx(0.1)
    assert np.isnan(decision.true_alarms(1.0, 0.5))
    area = np.trapezoid(decision.curve[:, 1], decision.curve[:, 0])
    assert area == pytest.approx(0.75)


def test_the_widget_draws():
    explorer = decision_explorer(
        torch.rand(20, generator=torch.Generator().manual_seed(0)),
        torch.arange(20) % 2,
        task.CLASSES,
    )
    picture = explorer.draw(threshold=0.3, prevalence=0.1)
    assert "cut at 0.30" in picture.alt and picture.png[:4] == b"\x89PNG"
