"""Translation: who is tested, what pairs are; and what makes each method itself."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from course_lib import catalogue, device
from course_lib.data import own
from course_lib.data.volume import Volume
from course_lib.errors import CourseError
from course_lib.lesson.widgets.pairs import MovedPairs, pairs_explorer
from course_lib.methods.translation.cyclegan import CycleGAN, Pool
from course_lib.methods.translation.gc_cyclegan import GCCycleGAN
from course_lib.methods.translation.histogram_matching import HistogramMatching
from course_lib.methods.translation.pix2pix import Pix2Pix
from course_lib.methods.translation.regression_forest import RegressionForest, features
from course_lib.parts import adversarial
from course_lib.parts.translation import translators
from course_lib.parts.translation.gradients import gradient_consistency, gradient_correlation
from course_lib.physics.misalignment import misalignment
from course_lib.tasks.translation import pairs as task


@pytest.fixture
def cases(splits):
    return splits("translation")


@pytest.fixture(scope="module")
def unpaired():
    return task.make("mr_to_ct/unpaired", "smoke", 0)


def batch_of(splits_, count=2, seed=0):
    return task.sample(splits_.train, "smoke", count, torch.Generator().manual_seed(seed))


def layers(module, kind):
    return [layer for layer in module.modules() if isinstance(layer, kind)]


def made(kind, **options):
    with device.seeded(0):
        return kind(**options)


def donors(cases):
    return {name for subject in cases.subject for name in subject.split(" + ")}


# --- the task


@pytest.mark.parametrize("kind", ["aligned", "unpaired"])
def test_donors_of_training_validation_and_test_are_different_people(kind):
    parts = task.make(f"mr_to_ct/{kind}", "smoke", 0)
    train, validation, test = (donors(p) for p in (parts.train, parts.validation, parts.test))
    assert not (train & validation or train & test or validation & test)
    assert len(test) == 2


def test_unpaired_sources_and_targets_are_of_different_donors(unpaired):
    sides = [subject.split(" + ") for subject in unpaired.train.subject]
    sources, targets = ({side[k] for side in sides} for k in (0, 1))
    assert sources and targets and not sources & targets


def test_the_seed_decides_the_training_and_nothing_else(cases):
    other = task.make("mr_to_ct/aligned", "smoke", 1)
    assert not torch.equal(other.train["source"], cases.train["source"])
    assert torch.equal(other.test["target"], cases.test["target"])
    assert other.validation.case == cases.validation.case


@pytest.mark.parametrize("mm", [3.0, 12.0])
def test_misalignment_has_the_size_that_its_name_says(mm):
    moves = misalignment(200, 48, mm, 224 / 48, torch.Generator().manual_seed(0))
    size = moves.square().sum(1).mean().sqrt() * 224 / 48
    assert float(size) == pytest.approx(mm, rel=0.05)
    shift = moves.mean((2, 3))
    assert (shift.norm(dim=1) > 0).all() and (moves - shift[..., None, None]).abs().max() > 0.1
    assert moves.mean().abs() * 224 / 48 < 0.2 * mm  # no direction is preferred


def test_misalignment_moves_training_targets_only(cases):
    moved = task.make("mr_to_ct/misaligned_12mm", "smoke", 0)
    assert torch.equal(moved.train["source"], cases.train["source"])
    assert not torch.allclose(moved.train["target"], cases.train["target"], atol=100)
    for part in ("validation", "test"):
        assert torch.equal(getattr(moved, part)["target"], getattr(cases, part)["target"])


def test_the_pair_shows_one_anatomy_and_the_unpaired_target_another(cases):
    source, target = cases.train["source"], cases.train["target"]
    body = target > -500
    assert source[body].mean() > 5 * source[~body].mean()  # the same outline
    bone = (target > 600) & cases.train["head"]
    assert source[bone].mean() < 0.6 * source[body & ~bone].mean()  # dark in MR, bright in CT
    batch = task.sample(cases.train, "smoke", 64, torch.Generator().manual_seed(0))
    same = (batch["target"] == batch["unpaired_target"]).flatten(1).all(1).float().mean()
    assert same < 0.35  # one in eight cases by chance


def test_few_is_a_tenth(unpaired):
    few = task.make("mr_to_ct/unpaired_few", "smoke", 0)
    assert len(few.train) < len(unpaired.train)
    assert len(few.test) == len(unpaired.test)


def test_scores_of_known_errors(cases):
    batch = cases.test.tensors
    target = batch["target"].clamp(-1000, 1500)
    perfect = task.score(target, batch)
    assert torch.isinf(perfect["psnr"]).all() and (perfect["bone_distance"] == 0).all()
    assert torch.allclose(perfect["bone_dice"], torch.ones(len(target)))
    inside = target.clamp(-900, 1400)
    shifted = task.score(inside + 50, batch | {"target": inside})
    assert torch.allclose(shifted["mae"], torch.full((len(target),), 50.0), atol=1e-2)
    assert torch.allclose(shifted["psnr"], torch.tensor(20 * math.log10(2500 / 50)), atol=1e-2)
    assert (shifted["edge_distance"] < 1e-3).all()
    outside = task.score(target + 500 * ~batch["head"], batch)
    assert torch.allclose(outside["mae"], torch.zeros(len(target)), atol=1e-3)


def test_a_moved_head_is_seen_by_the_boundary_scores(cases):
    batch = cases.test.tensors
    moved = task.score(torch.roll(batch["target"], 1, dims=-1), batch)
    further = task.score(torch.roll(batch["target"], 3, dims=-1), batch)
    pixel = 224 / 48
    assert (moved["bone_distance"] < pixel).all() and (moved["bone_distance"] > 0.2 * pixel).all()
    assert (further["edge_distance"] > moved["edge_distance"]).all()


def test_mr_targets_have_no_hounsfield_scores():
    name = "t1_to_t2/aligned"
    asked, parts = task.TASK.on(name), task.make(name, "smoke", 0)
    scores = task.score(parts.test["target"], parts.test.tensors)
    assert scores["mae"].isnan().all() and "mae" not in asked.metrics
    assert all(not scores[name].isnan().any() for name in asked.metrics)


def scans(tmp_path, target=True):
    generator = np.random.default_rng(0)
    volumes = []
    for name in "abcd":
        image = generator.random((10, 40, 30)).astype(np.float32)
        labels = {"target": 2 - image} if target else {}
        volumes.append(Volume(image, (2.0, 1.0, 1.0), name, "a.u.", (0, 0, 0), labels))
    return own.Scans(tmp_path, "measured", "mine", tuple(volumes))


def test_own_volumes_are_paired_by_name_and_split_by_subject(tmp_path):
    parts = task.own_cases(scans(tmp_path), "smoke", 0)
    names = [set(p.subject) for p in (parts.train, parts.validation, parts.test)]
    assert set.union(*names) == set("abcd") and sum(map(len, names)) == 4
    batch = parts.train.tensors
    assert batch["source"].shape[-2:] == (48, 48)
    middle = (..., slice(8, 40), slice(14, 34))
    assert torch.allclose((batch["source"] + batch["target"])[middle], torch.tensor(2.0), atol=0.01)
    with pytest.raises(CourseError, match="target"):
        task.own_cases(scans(tmp_path, target=False), "smoke", 0)
    with pytest.raises(CourseError, match="translation"):
        task.own_cases(own.Pictures(tmp_path, "p", "l", (), ()), "smoke", 0)
    assert catalogue.entry("pix2pix").fits("path:somewhere")


def test_the_measured_pair_trains_on_one_side_and_tests_on_the_other(tmp_path, monkeypatch):
    """With made-up volumes in the place of the optional download."""
    generator = np.random.default_rng(0)

    def volume(side):
        image = generator.random((60, 32, 24)).astype(np.float32)
        return Volume(image, (0.5, 1, 1), f"CITI168-{side}", "a.u.", (0, 0, 0), {"t2w": 1 - image})

    monkeypatch.setattr("course_lib.data.sets.hippocampus.load", lambda: list(map(volume, "LR")))
    parts = task.make.__wrapped__("hippocampus_t1t2", "smoke", 0)
    assert set(parts.test.group) == {task.SAME_PATIENT} and set(parts.test.subject) == {"CITI168"}
    last = max(int(name[-3:]) for name in parts.validation.case)
    assert min(int(name[-3:]) for name in parts.test.case) - last >= 12  # 6 mm


# --- the lesson's widget


def test_the_knob_blurs_under_l2_and_thins_under_l1(cases):
    target = cases.validation["target"][0, 0]
    pairs = MovedPairs(target, 224 / 48)
    for best in ("median", "mean"):
        same, answer = pairs(0.0, best)
        assert torch.allclose(same, target, atol=0.1) and torch.allclose(answer, target, atol=0.1)
    mean, median = (pairs(14.0, best)[1] for best in ("mean", "median"))
    moved = MovedPairs(target, 224 / 48)(14.0, "mean")[0]
    assert (mean > 300).sum() < (moved > 300).sum()
    assert mean.max() < 0.8 * moved.max()
    assert not torch.allclose(mean, median, atol=50)


def test_the_widget_says_what_it_shows(cases):
    batch = cases.validation.batch(slice(0, 1))
    explorer = pairs_explorer(batch["source"][0, 0], batch["target"][0, 0], 224 / 48)
    before = explorer.picture.alt
    explorer.controls["mm"].value = 12
    assert "12 mm" in explorer.picture.alt and explorer.picture.alt != before
    explorer.controls["best"].value = "L2 (mean)"
    assert "L2" in explorer.picture.alt


# --- parts and losses


def test_ranges_there_and_back():
    image = torch.linspace(-1000, 1500, 32).view(2, 1, 4, 4)
    limits = torch.tensor([[-1000.0, 1500.0]]).expand(2, 2)
    unit = translators.to_unit(image, limits)
    assert unit.min() == -1 and unit.max() == 1
    assert torch.allclose(translators.from_unit(unit, limits), image, atol=1e-3)


@pytest.mark.parametrize(("depth", "pixels"), [(2, 34), (3, 70)])
def test_a_score_of_the_discriminator_sees_one_patch(depth, pixels):
    network = translators.patch_discriminator(1, 4, depth)
    for layer in layers(network, nn.InstanceNorm2d):  # it looks at the whole image
        layer.forward = lambda x: x
    image = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    scores = network(image)
    assert scores.shape[1] == 1 and scores.shape[-1] > 10
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero()[:, 0]
    assert int(rows[-1] - rows[0]) + 1 == pixels


def test_the_generator_mirrors_its_border_and_normalises_instances():
    network = translators.resnet_generator(4, 2)
    assert len(layers(network, nn.ReflectionPad2d)) == 2 + 2 * 2
    assert layers(network, nn.InstanceNorm2d) and not layers(network, nn.BatchNorm2d)
    assert network(torch.zeros(1, 1, 24, 20)).shape == (1, 1, 24, 20)
    weights = torch.cat([c.weight.detach().flatten() for c in layers(network, nn.Conv2d)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)


def test_least_squares_and_logistic_losses_are_their_formulas():
    real, fake = torch.tensor([0.5, 1.0]), torch.tensor([-1.0, 2.0])
    value = adversarial.least_squares_critic(real, fake)
    assert float(value) == pytest.approx(0.5 * (0.125 + 2.5))
    assert float(adversarial.least_squares_generator(fake)) == pytest.approx(2.5)
    bce, one = nn.BCEWithLogitsLoss(), torch.ones(2)
    wanted = 0.5 * (bce(real, one) + bce(fake, 0 * one))
    ours = 0.5 * adversarial.discriminator_cross_entropy(real, fake)
    assert float(ours) == pytest.approx(float(wanted))
    assert float(adversarial.non_saturating_generator(fake)) == pytest.approx(float(bce(fake, one)))


def test_gradient_correlation_of_known_images():
    image = torch.randn(3, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    one, minus = torch.ones(3), -torch.ones(3)
    assert torch.allclose(gradient_correlation(image, 5 * image + 100), one, atol=1e-4)
    assert torch.allclose(gradient_correlation(image, 2 - image), minus, atol=1e-4)
    assert torch.allclose(gradient_correlation(image, 2 - image, absolute=True), one, atol=1e-4)
    assert gradient_correlation(image, image.roll(5, -1)).abs().max() < 0.2
    assert torch.equal(gradient_correlation(image, torch.ones_like(image)), torch.zeros(3))
    assert float(gradient_consistency(image, 2 - image)) == pytest.approx(2, abs=1e-4)
    # One axis at a time: an image that changes along x only knows nothing of y.
    ramp = torch.sin(torch.arange(20.0)).expand(1, 1, 20, 20)
    assert float(gradient_correlation(ramp, ramp)) == pytest.approx(0.5, abs=1e-4)
    by_hand = [
        np.corrcoef(np.diff(image[0, 0], axis=k).ravel(), np.diff(image[1, 0], axis=k).ravel())[
            0, 1
        ]
        for k in (0, 1)
    ]
    found = gradient_correlation(image[:1], image[1:2])
    assert float(found) == pytest.approx(np.mean(by_hand), abs=1e-5)


# --- the methods: the catalogue's faithful minimum


def test_histogram_matching_keeps_the_order_and_takes_on_the_histogram(cases):
    method = HistogramMatching()
    with pytest.raises(CourseError, match="prepare"):
        method.predict(cases.test.tensors)
    method.prepare(cases.train)
    batch = cases.test.batch(slice(0, 1))
    for method.scope in ("image", "set"):
        output = method.predict(batch).flatten()
        rising = output[batch["source"].flatten().argsort()]
        assert (rising.diff() >= -1e-3).all()
    method.scope = "image"
    got = method.predict(batch).flatten().quantile(torch.linspace(0, 1, 9))
    wanted = cases.train["target"].flatten().quantile(torch.linspace(0, 1, 9))
    assert torch.allclose(got, wanted, atol=25)


def test_forest_learns_from_pairs_and_predicts_known_values_only(cases):
    method = RegressionForest()
    with pytest.raises(CourseError, match="prepare"):
        method.predict(cases.test.tensors)
    method.prepare(cases.train)
    output = method.predict(cases.test.tensors)
    seen = cases.train["target"]
    assert output.min() >= seen.min() and output.max() <= seen.max()
    assert (task.score(output, cases.test.tensors)["psnr"] > 20).all()
    assert method.forest.n_jobs == 1


def test_forest_features_are_local(cases):
    batch = cases.test.batch(slice(0, 2))
    before = features(batch["source"], batch["source_range"])
    spoiled = batch["source"].clone()
    spoiled[1] = 0
    after = features(spoiled, batch["source_range"])
    assert before.shape == (2, 48, 48, 13) and torch.equal(before[0], after[0])


def test_pix2pix_judges_the_pair_by_patches(cases):
    method, batch = made(Pix2Pix), batch_of(cases)
    assert layers(method.discriminator, nn.Conv2d)[0].in_channels == 2
    source, target = translators.source_of(batch), translators.target_of(batch)
    with torch.no_grad():
        scores = method._judge(source, target)
        other = method._judge(source.flip(0), target)
    assert scores.shape[-1] > 1 and not torch.allclose(scores, other)


def test_pix2pix_weighs_l1_hundredfold_and_without_its_game_is_l1_alone(cases):
    batch = batch_of(cases)
    method = made(Pix2Pix)
    assert method.pixel == 100 and method.adversarial == 1
    plain = made(Pix2Pix, adversarial=0.0)
    assert set(plain.players()) == {"generator"}
    with device.seeded(1):
        ((_, loss),) = plain.losses(batch)
    with device.seeded(1):
        fake = plain.generator(translators.source_of(batch))
    l1 = (fake - translators.target_of(batch)).abs().mean()
    assert float(loss) == pytest.approx(100 * float(l1), rel=1e-5)
    plain.generator, losses = method.generator, {}
    with device.seeded(1):
        for player, value in method.losses(batch):
            losses[player] = float(value)
    with device.seeded(1):
        ((_, pixel),) = plain.losses(batch)
    game = losses["generator"] - float(pixel)
    assert 0.3 < game < 1.5  # about log 2 before training


def test_pix2pix_has_skips_and_keeps_dropout_in_the_decoder_at_test_time(cases):
    method, batch = made(Pix2Pix), cases.test.batch(slice(0, 1))
    assert not layers(method.generator.down, nn.Dropout)
    assert len(layers(method.generator.up, nn.Dropout)) == 2
    widths = [layers(block, nn.ConvTranspose2d)[0].in_channels for block in method.generator.up]
    assert widths == [64, 128, 64, 32]  # all but the innermost hear a skip as well
    method.eval()
    with torch.no_grad():
        first, again = method.predict(batch), method.predict(batch)
        assert torch.equal(first, again)
        assert all(layer.training for layer in layers(method.generator, nn.Dropout))
        for layer in layers(method.generator, nn.Dropout):
            layer.p = 0.0
        assert not torch.equal(method.predict(batch), first)


def test_cyclegan_has_two_generators_and_two_unconditional_judges():
    method = made(CycleGAN)
    assert set(method.judges) == {"source", "target"}
    judges = [layers(judge, nn.Conv2d)[0] for judge in method.judges.values()]
    assert all(first.in_channels == 1 for first in judges)
    players = {key: {id(p) for p in value} for key, value in method.players().items()}
    own_ = {id(p) for g in (method.there, method.back) for p in g.parameters()}
    assert players["generators"] == own_ and not players["generators"] & players["discriminators"]
    assert sum(map(len, players.values())) == len(list(method.parameters()))


def test_cyclegan_never_looks_at_the_pair(cases):
    batch = batch_of(cases)
    spoiled = batch | {"target": torch.full_like(batch["target"], torch.nan)}
    with device.seeded(0):
        losses = [float(loss) for _, loss in made(CycleGAN).losses(spoiled)]
    assert np.isfinite(losses).all()


def test_cyclegan_loss_is_least_squares_and_ten_cycles(cases):
    batch, method = batch_of(cases), made(CycleGAN)
    assert method.cycle == 10 and method.identity == 0
    x, y = translators.source_of(batch), translators.target_of(batch, "unpaired_target")
    with torch.no_grad():
        fake_y, fake_x = method.there(x), method.back(y)
        game = (method.judges["target"](fake_y) - 1).square().mean()
        game = game + (method.judges["source"](fake_x) - 1).square().mean()
        cycle = (method.back(fake_y) - x).abs().mean() + (method.there(fake_x) - y).abs().mean()
        losses = dict(method.losses(batch))
        assert float(losses["generators"]) == pytest.approx(float(game + 10 * cycle), rel=1e-5)
        judged = 0.0
        for side, real, fake in (("source", x, fake_x), ("target", y, fake_y)):
            judge = method.judges[side]
            judged += 0.5 * ((judge(real) - 1).square().mean() + judge(fake).square().mean())
    assert float(losses["discriminators"]) == pytest.approx(float(judged), rel=1e-5)


def test_the_pool_returns_new_and_old_fakes():
    pool = Pool(4)
    with device.seeded(0):
        first = pool(torch.arange(4.0).view(4, 1, 1, 1))
        later = torch.cat([pool(torch.full((1, 1, 1, 1), 10.0 + k)) for k in range(40)]).flatten()
    assert first.flatten().tolist() == [0, 1, 2, 3] and len(pool.images) == 4
    old = (later != 10 + torch.arange(40.0)).float().mean()
    assert 0.25 < old < 0.75 and CycleGAN().pools["target"].size == 50
    assert len(set(later.tolist())) == 40  # one that was handed out is not kept


def test_gradient_consistency_compares_inputs_with_their_translations(cases):
    batch, method = batch_of(cases), made(GCCycleGAN)
    x, y = translators.source_of(batch), translators.target_of(batch, "unpaired_target")
    with torch.no_grad():
        real = {"source": x, "target": y}
        fake = {"target": method.there(x), "source": method.back(y)}
        plain = CycleGAN.generator_loss(method, real, fake)
        term = float(method.generator_loss(real, fake) - plain)
        there, back = (
            gradient_consistency(x, fake["target"]),
            gradient_consistency(y, fake["source"]),
        )
    assert term == pytest.approx(method.gradient * 0.5 * float(there + back), rel=1e-4)


def test_gradient_consistency_without_its_weight_is_cyclegan(cases):
    batch, values = batch_of(cases), []
    for method in (made(GCCycleGAN, gradient=0.0), made(CycleGAN), made(GCCycleGAN)):
        with device.seeded(1):
            values.append([float(loss) for _, loss in method.losses(batch)])
    assert values[0] == values[1] and values[0][0] < values[2][0]


def test_methods_are_listed_with_their_reference_and_what_they_can_answer():
    refs = {e.id: e.ref for e in catalogue.methods("translation") if not e.baseline}
    assert refs == {"pix2pix": 46, "cyclegan": 47, "gc_cyclegan": 54}
    fits = {
        e.id: [d for d in task.TASK.sources if e.fits(d)] for e in catalogue.methods(task.TASK.id)
    }
    pairs = [name for name in task.TASK.sources if "unpaired" not in name]
    assert fits["pix2pix"] == fits["regression_forest"] == pairs
    assert fits["cyclegan"] == fits["histogram_matching"] == list(task.TASK.sources)
