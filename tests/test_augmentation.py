"""Augmentation: who is tested, what the judge does; and what makes each method itself."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import catalogue, device
from course_lib.data.lesions import library
from course_lib.data.own import Labelled
from course_lib.errors import CourseError
from course_lib.lesson.widgets.changes import SHOWN, changed
from course_lib.methods.augmentation.pca_residual import PCAResidual
from course_lib.metrics.classification import auc
from course_lib.metrics.generation import kernel_distance, kernel_distance_per_case
from course_lib.parts.adversarial import discriminator_cross_entropy, non_saturating_generator
from course_lib.parts.augment import NOTHING, Change
from course_lib.parts.augmentation import dcgan, downstream
from course_lib.parts.hounsfield import from_lung_range, lung_range
from course_lib.tasks.augmentation import malignancy as task

GANS = ("dcgan", "liver_dcgan", "anogan")


@pytest.fixture
def labelled(splits):
    return splits("augmentation", "malignancy")


@pytest.fixture
def healthy(splits):
    return splits("augmentation", "anomaly")


@pytest.fixture
def quick(monkeypatch):
    """Judges of one network and few steps."""
    monkeypatch.setattr(downstream, "NETWORKS", 1)
    monkeypatch.setattr(downstream, "EPOCHS", 8)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def made(name, seed=0, **options):
    with device.seeded(seed):
        return catalogue.build(name, **options)


# --- the cases


def test_patients_are_in_one_part_only(labelled):
    parts = [set(part.subject) for part in (labelled.train, labelled.validation, labelled.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert set(labelled.test.group) == {task.OTHER_PATIENTS}
    nodules = [set(part.case) for part in (labelled.train, labelled.test)]
    assert len(nodules[0]) == len(labelled.train) and not nodules[0] & nodules[1]


def test_labels_are_the_radiologists_and_balanced(labelled):
    ratings = {
        f"{n.patient}/nodule-{n.annotations[0].identifier}": sum(
            a.ratings["malignancy"] for a in n.annotations
        )
        / len(n.annotations)
        for known in library.sorted_nodules()
        for n in known
    }
    for part in (labelled.train, labelled.validation, labelled.test):
        for name, label in zip(part.case, part["label"].tolist(), strict=True):
            assert (ratings[name] > 3.5) if label else (ratings[name] < 2.5)
        assert part["label"].float().mean() == 0.5


def test_the_seed_chooses_training_nodules_and_nothing_else(labelled):
    other = task.make("malignancy", "smoke", 1)
    assert set(other.train.case) != set(labelled.train.case)
    assert torch.equal(other.test["image"], labelled.test["image"])
    assert set(other.train.subject) & set(labelled.test.subject) == set()


def test_anomaly_training_is_healthy_and_lies_in_the_other_lung(healthy):
    assert not healthy.train["label"].any()
    assert set(healthy.train.subject) == {library.BACKGROUND}
    assert all(group.startswith("same patient") for group in healthy.test.group)


def test_no_two_parts_share_a_place():
    room = library.lungs()
    parts = library.regions(room)
    left = [set(parts[name].voxels[:, 0].tolist()) for name in ("train", "validation")]
    assert min(left[1]) - max(left[0]) >= library.GAP
    assert (parts["train"].side == 1).all() and (parts["test"].side == 2).all()


def test_test_places_are_shown_without_and_with_a_nodule(healthy):
    image, mask, label = (healthy.test[k] for k in ("image", "mask", "label"))
    assert torch.equal(label, torch.arange(len(label)) % 2)
    assert not mask[::2].any() and mask[1::2].flatten(1).amax(1).min() > 0
    change = (image[1::2] - image[::2]).abs()
    far = mask[1::2] == 0
    near = F.max_pool2d(mask[1::2], 3, 1, 1) > 0.5
    assert change[near].mean() > 20 * change[far].mean()
    assert healthy.test.subject[::2] == healthy.test.subject[1::2]


def test_batches_hold_as_many_of_each_class(labelled, healthy):
    batch = task.sample(labelled.train, "smoke", 8, rng())
    assert batch["label"].sum() == 4
    assert len(task.sample(healthy.train, "smoke", 7, rng())["image"]) == 7


# --- the scores


def test_auc_is_the_mean_of_the_cases_and_perfect_is_one(labelled):
    batch = labelled.test.tensors
    label = batch["label"].float()
    for value, wanted in ((label, 1.0), (-label, 0.0), (torch.zeros_like(label), 0.5)):
        p = torch.stack([1 - value.sigmoid(), value.sigmoid()], 1)
        scores = task.score({"probabilities": p, "generated": batch["image"]}, batch)
        assert float(scores["auc"].mean()) == pytest.approx(wanted)
    random = torch.rand(len(label), generator=rng())
    p = torch.stack([1 - random, random], 1)
    scores = task.score({"probabilities": p, "generated": batch["image"]}, batch)
    assert float(scores["auc"].mean()) == pytest.approx(float(auc(random, batch["label"])))
    called = (random > 0.5)[batch["label"] == 1].float().mean()
    assert float(scores["sensitivity"].nanmean()) == pytest.approx(float(called))


def test_kernel_distance_shares_add_up_and_tell_noise_from_lung(labelled):
    x, y = torch.randn(2, 7, 5, generator=rng())
    shares = kernel_distance_per_case(x, y + 1)
    assert float(shares.mean()) == pytest.approx(float(kernel_distance(x, y + 1)), rel=1e-4)
    with pytest.raises(CourseError, match="as many"):
        kernel_distance_per_case(x, y[:5])
    batch = labelled.test.tensors
    p = torch.full((len(batch["label"]), 2), 0.5)
    mirrored, noise = batch["image"].flip(-1), torch.randn(batch["image"].shape) * 300 - 500
    near, far = (
        task.score({"probabilities": p, "generated": g}, batch)["kernel_distance"].mean()
        for g in (mirrored, noise)
    )
    assert near < 0.2 * far


def test_a_perfect_map_finds_every_pixel(healthy):
    batch = healthy.test.batch(slice(0, 4))
    scores = task.score({"score": batch["label"].float(), "map": batch["mask"]}, batch)
    assert scores["auc"].mean() == 1
    assert scores["pixel_auc"][::2].isnan().all() and (scores["pixel_auc"][1::2] > 0.99).all()
    assert set(scores) == set(task.TASK.on("anomaly").metrics)


# --- classic changes


@pytest.mark.parametrize(
    "kind",
    [
        {"flip": True},
        {"turn_degrees": 40},
        {"shift_pixels": 4},
        {"scale": 0.4},
        {"shear": 0.4},
        {"noise": 50},
    ],
    ids=lambda kind: next(iter(kind)),
)
def test_each_kind_of_change_can_be_switched(kind):
    image = torch.randn(8, 1, 32, 32, generator=rng())
    off = {name: 0 for name in ("turn_degrees", "shift_pixels", "scale", "shear", "noise")}
    change = Change(**{"flip": False} | off | kind)
    assert not torch.allclose(change(image, rng()), image, atol=0.1)
    assert torch.equal(NOTHING(image, rng()), image)
    assert change.times(0) == NOTHING
    assert torch.equal(change(image, rng()), change(image, rng()))


def test_changes_do_what_they_say():
    line = torch.arange(32) - 15.5
    spot = (line[:, None] ** 2 + line**2 < 36).float().expand(200, 1, 32, 32)
    still = dict(flip=False, turn_degrees=0, shift_pixels=0, scale=0, shear=0, noise=0)
    area = Change(**still | {"scale": 0.3})(spot, rng()).sum((1, 2, 3)) / spot[0].sum()
    assert 0.45 < area.min() < 0.6 and 1.5 < area.max() < 1.75
    turned = Change(**still | {"turn_degrees": 180})(spot, rng())
    assert (turned - spot).abs().mean() < 0.02
    moved = Change(**still | {"shift_pixels": 3})(spot, rng())
    mass = moved.sum((1, 2, 3))
    middle = (moved.sum(2)[:, 0] * line).sum(1) / mass
    assert 2.5 < middle.abs().max() < 3.1 and abs(float(middle.mean())) < 0.4
    noisy = Change(**still | {"noise": 5.0})(spot, rng()) - spot
    assert float(noisy.std()) == pytest.approx(5, rel=0.02)
    mirrored = Change(**still | {"flip": True})(line.expand(40, 1, 32, 32).contiguous(), rng())
    ends = {round(float(v)) for v in mirrored[:, 0, 0, 0]}
    assert ends == {-16, 16} or ends == {-15, 15}


def test_classic_augmentation_changes_training_patches_only(labelled, quick):
    method = made("classic_augmentation", copies=2)
    method.prepare(labelled.train)
    method.set({"strength": 1.0})
    assert len(method.real) == 2 * len(labelled.train)
    assert method.cases == len(labelled.train)  # the judge takes no more steps for copies
    before = labelled.test["image"].clone()
    method.predict(labelled.test.batch(slice(0, 2)))
    assert torch.equal(before, labelled.test["image"])


# --- the judge


def test_the_judge_is_the_same_whoever_asks(labelled, quick):
    """Methods that hand it the same pictures get the same answer: seeds, steps, batches."""
    first, second = made("no_augmentation"), made("classic_augmentation", seed=5)
    for method in (first, second):
        method.prepare(labelled.train)
    second.change, second._judges = NOTHING, None
    batch = labelled.test.batch(slice(0, 3))
    answers = [method.predict(batch)["probabilities"] for method in (first, second)]
    assert torch.equal(*answers)
    assert torch.allclose(answers[0].sum(1), torch.ones(3))


def test_the_judge_learns_and_never_sees_other_labels(labelled):
    method = made("no_augmentation")
    method.prepare(labelled.train)
    seen, wanted = method.batch(rng())
    known = {tuple(x.flatten()[:40].tolist()) for x in labelled.train["image"]}
    assert {tuple(x.flatten()[:40].tolist()) for x in seen} <= known
    assert wanted.sum(0).tolist() == [16, 16]
    p = method.predict(labelled.train.tensors)["probabilities"][:, 1]
    assert auc(p, labelled.train["label"]) > 0.9


def test_the_answer_does_not_depend_on_the_batch(labelled, quick):
    method = made("no_augmentation")
    method.prepare(labelled.train)
    whole = method.predict(labelled.test.batch(slice(0, 4)))
    parts = [method.predict(labelled.test.batch(slice(k, k + 2))) for k in (0, 2)]
    for key in ("probabilities", "generated"):
        assert torch.allclose(whole[key], torch.cat([part[key] for part in parts]), atol=1e-5)


# --- the methods: the catalogue's faithful minimum


def layers(module, *kinds):
    return [layer for layer in module.modules() if isinstance(layer, kinds)]


@pytest.mark.parametrize("size", [16, 32, 64])
def test_dcgan_is_built_as_its_paper_says(size):
    torch.manual_seed(0)
    maker, judge = dcgan.generator(size), dcgan.Discriminator(size)
    image = maker(dcgan.noise(3, rng()))
    assert image.shape == (3, 1, size, size) and judge(image).shape == (3,)
    for network in (maker, judge):
        assert not layers(network, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.Upsample)
    ups, downs = layers(maker, nn.ConvTranspose2d), layers(judge, nn.Conv2d)
    assert len(layers(maker, nn.BatchNorm2d)) == len(ups) - 1  # not at the picture
    assert len(layers(judge, nn.BatchNorm2d)) == len(downs) - 2  # nor at the logit
    assert all(up.stride == (2, 2) for up in ups[1:]) and isinstance(maker[-1], nn.Tanh)
    assert len(layers(maker, nn.ReLU)) == len(ups) - 1 and not layers(maker, nn.LeakyReLU)
    assert {layer.negative_slope for layer in layers(judge, nn.LeakyReLU)} == {0.2}
    weights = torch.cat([layer.weight.flatten() for layer in (*ups, *downs)]).detach()
    assert float(weights.std()) == pytest.approx(0.02, rel=0.05) and abs(weights.mean()) < 1e-3


@pytest.mark.parametrize("name", GANS)
def test_gans_use_adam_with_half_momentum_and_detach_made_pictures(name, splits):
    dataset = catalogue.entry(name).datasets[0]
    batch = task.sample(splits("augmentation", dataset).train, "smoke", 8, rng())
    method = made(name).train()
    for player, loss in method.losses(batch):
        own = list(method.players()[player])
        assert method.optimiser(player, own).defaults["betas"][0] == 0.5
        others = [p for p in method.parameters() if all(p is not q for q in own)]
        if player.startswith("discriminator"):
            grads = torch.autograd.grad(loss, others, allow_unused=True)
            assert all(g is None for g in grads)
        else:  # through the discriminator to the generator
            assert all(g.abs().max() > 0 for g in torch.autograd.grad(loss, own))


def test_both_real_and_made_pictures_are_shown_under_noise():
    method = made("dcgan").train()
    image, seen = torch.zeros(4, 1, 32, 32), []
    method.discriminator.register_forward_hook(lambda m, i, o: seen.append(i[0]))
    list(method.losses({"image": image}))
    real, fake, again = seen
    assert float((real - lung_range(image)).detach().std()) == pytest.approx(method.veil, rel=0.05)
    assert float((fake - again).detach().std()) == pytest.approx(2**0.5 * method.veil, rel=0.05)


def test_adversarial_losses_are_those_of_goodfellow():
    real, fake = torch.randn(2, 9, generator=rng())
    p, q = real.sigmoid(), fake.sigmoid()
    wanted = -(p.log().mean() + (1 - q).log().mean())
    assert float(discriminator_cross_entropy(real, fake)) == pytest.approx(float(wanted), rel=1e-5)
    loss = non_saturating_generator(fake)
    assert float(loss) == pytest.approx(float(-q.log().mean()), rel=1e-5)


def test_range_of_lung():
    hu = torch.tensor([-1000.0, -300.0, 400.0])
    assert torch.allclose(lung_range(hu), torch.tensor([-1.0, 0.0, 1.0]))
    assert torch.allclose(from_lung_range(lung_range(hu)), hu)
    assert lung_range(torch.tensor([2000.0])) == 1


def test_dcgan_labels_its_pictures_by_a_teacher_of_real_patches(labelled, quick):
    method = made("dcgan").eval()
    method.prepare(labelled.train)
    with torch.no_grad():
        images, wanted = method.batch(rng())
        _, guess = method.draw(torch.zeros(5, dtype=torch.long), rng())
    assert images.shape == (32, 1, 32, 32) and torch.allclose(wanted.sum(1), torch.ones(32))
    assert ((guess > 0) & (guess < 1)).all()  # soft, not the label that was asked for
    assert set(wanted[:16].flatten().tolist()) == {0.0, 1.0}  # the real half


def test_liver_dcgan_has_a_pair_for_each_class_that_sees_its_class_only(labelled):
    method = made("liver_dcgan").train()
    assert len(method.generators) == len(method.discriminators) == 2
    batch = task.sample(labelled.train, "smoke", 8, rng())
    seen = []
    for network in method.discriminators:
        network.register_forward_hook(lambda m, i, o, n=network: seen.append((n, i[0])))
    method.seen, method.veil = NOTHING, 0.0
    list(method.losses(batch))
    for label, network in enumerate(method.discriminators):
        first = next(x for n, x in seen if n is network)
        assert torch.equal(first, lung_range(batch["image"][batch["label"] == label]))


def test_liver_dcgan_adds_made_lesions_to_classically_changed_ones(labelled):
    method = made("liver_dcgan").eval()
    method.prepare(labelled.train)
    assert method.change != NOTHING and made("liver_dcgan", classic=False).change == NOTHING
    with torch.no_grad():
        images, wanted = method.batch(rng())
        labels = torch.tensor([0, 1, 1])
        drawn, known = method.draw(labels, rng())
    assert images.shape == (32, 1, 32, 32) and wanted.sum(0).tolist() == [16, 16]
    assert torch.equal(known.argmax(1), labels) and drawn.min() >= -1000 and drawn.max() <= 400
    arms = [made(n) for n in ("no_augmentation", "classic_augmentation", "liver_dcgan")]
    assert all(arm.judges.__func__ is downstream.Judged.judges for arm in arms)


def test_pca_sampler_has_the_mean_and_the_spread_of_its_class(labelled):
    method = made("pca_sampler")
    method.prepare(labelled.train)
    method.set({"components": 16})
    label = torch.ones(600, dtype=torch.long)
    drawn, _ = method.draw(label, rng())
    mean, spread, rows = method.classes[1]
    inside = (lung_range(drawn).flatten(1) - mean) @ rows[:16].T
    assert (inside.std(0) / spread[:16])[:3].mean() == pytest.approx(1, abs=0.2)
    assert (lung_range(drawn).flatten(1).mean(0) - mean).abs().mean() < 0.05


def test_pca_residual_is_zero_within_its_directions(healthy):
    method = PCAResidual()
    method.prepare(healthy.train)
    batch = healthy.train.batch(slice(0, 5))
    for components, wanted in ((0, None), (256, 0.0)):
        method.set({"components": components})
        score = method.predict(batch)["score"]
        rows = lung_range(healthy.train["image"]).flatten(1)
        mean = 700 * (rows[:5] - rows.mean(0)).abs().mean(1)
        wanted = mean if wanted is None else torch.zeros(5)
        assert torch.allclose(score, wanted, atol=0.5)


def test_anogan_searches_with_frozen_networks_and_comes_nearer(healthy):
    method = made("anogan", searches=40).eval()
    before = [p.detach().clone() for p in method.parameters()]
    query = lung_range(healthy.test["image"][:3])
    with torch.no_grad():
        z = method.search(query)
        start = method.distance(query, method.generator(dcgan.noise(1, rng()).repeat(3, 1)))
        found = method.distance(query, method.generator(z))
    assert (found < start).all()
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    assert all(p.grad is None for p in method.parameters())
    assert made("anogan").searches >= 50


def test_anogan_scores_residual_and_features_not_the_verdict(healthy):
    method = made("anogan").eval()
    assert method.weight == 0.1
    x, y = (lung_range(healthy.test["image"][k : k + 2]) for k in (0, 2))
    residual = (x - y).abs().sum((1, 2, 3))
    features = (method.discriminator.features(x) - method.discriminator.features(y)).abs().sum(1)
    distance = method.distance(x, y)
    assert torch.allclose(distance, 0.9 * residual + 0.1 * features, rtol=1e-4)
    method.discriminator.last.weight.data.zero_()  # the verdict's own weights play no part
    assert torch.equal(method.distance(x, y), distance)


def test_a_patchs_anomaly_score_does_not_depend_on_its_neighbours(healthy):
    method = made("anogan", searches=5).eval()
    batch = healthy.test.batch(slice(0, 2))
    both = method.predict(batch)["score"]
    alone = method.predict(healthy.test.batch(slice(1, 2)))["score"]
    assert torch.allclose(both[1:], alone, rtol=1e-4)


def test_methods_answer_one_question_each():
    from course_lib.benchmark.job import Job

    with pytest.raises(CourseError, match="another question"):
        Job("augmentation", "anogan", "malignancy", "smoke", 0).check()
    with pytest.raises(CourseError, match="another question"):
        Job("augmentation", "liver_dcgan", "anomaly", "smoke", 0).check()


# --- the lesson's widget, and data of one's own


def test_widget_shows_each_patch_and_its_copies(labelled):
    patches = labelled.train["image"][:2]
    shown = changed(patches, 90.0, 2.0, 0.2, 50.0)
    assert shown.shape == (2, SHOWN, 32, 32)
    assert torch.equal(shown[:, :1], patches)
    assert not torch.allclose(shown[:, 1], shown[:, 2])


def own_images(tmp_path, classes=3, channels=1, side=28, count=60):
    draw = torch.rand(count, channels, side, side, generator=rng()).numpy()
    labels = (torch.arange(count) % classes).numpy()
    names = ("train", "validation", "test")
    return Labelled(
        source=tmp_path / "own.npz",
        provenance="own",
        licence="own",
        images=dict.fromkeys(names, draw),
        labels=dict.fromkeys(names, labels),
        classes=tuple("abc"[:classes]),
        subjects={name: [f"{name}-{k}" for k in range(count)] for name in names},
    )


def test_own_labelled_images_become_patches_of_two_classes(tmp_path):
    splits = task.own_cases(own_images(tmp_path, classes=2, channels=3), "smoke", 0)
    assert splits.train["image"].shape[1:] == (1, 32, 32)
    assert splits.train["image"].min() >= -1000 and splits.train["image"].max() <= 400
    assert splits.train["label"].float().mean() == 0.5
    assert not set(splits.train.subject) & set(splits.test.subject)
    entry = catalogue.entry
    assert entry("liver_dcgan").fits("path:own.npz") and not entry("anogan").fits("path:own.npz")
    assert set(task.TASK.on("path:own.npz").metrics) == set(task.CLASSIFIED)
    three = task.own_cases(own_images(tmp_path, classes=3), "smoke", 0)
    assert set(three.test["label"].tolist()) == {0, 1}


def test_own_data_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(CourseError, match="one class"):
        task.own_cases(own_images(tmp_path, classes=1), "smoke", 0)
