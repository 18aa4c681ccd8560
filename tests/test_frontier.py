"""The frontier: who is tested, what scanners and markers do, and what makes each method itself."""

import pytest
import torch
from torch import nn

from course_lib import catalogue, device
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.lesson.widgets.rescan import rescan_explorer
from course_lib.methods.frontier import domain_generalisation as travel
from course_lib.methods.frontier.attention_mil import AttentionMIL
from course_lib.methods.frontier.blob_filter import BlobFilter
from course_lib.methods.frontier.domain_shift_benchmark import DomainShiftBenchmark
from course_lib.methods.frontier.mask_u_net import MaskUNet
from course_lib.methods.frontier.saliency_explanations import SaliencyExplanations
from course_lib.methods.frontier.weak_supervision_cam_mil import WeakSupervisionCAMMIL
from course_lib.metrics import classification
from course_lib.metrics import saliency as metrics
from course_lib.parts.frontier import saliency
from course_lib.parts.frontier.reader import seen, small_resnet
from course_lib.physics.ct_site import LEVELS, SITES, Knobs, blurred, rescan, turned
from course_lib.tasks.base import Plan, Splits
from course_lib.tasks.frontier import presence, scenes
from course_lib.tasks.frontier import reading as task

DATASETS = tuple(task.TASK.sources)


@pytest.fixture
def cases(splits):
    return lambda dataset: splits("frontier", dataset)


def small_network(seed=0):
    """A small ResNet whose normalisation has seen some images, so that it is not degenerate."""
    with device.seeded(seed):
        made = small_resnet()
    with torch.no_grad():
        made.train()(torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(1)))
    return made.eval()


def images(count=2, seed=0):
    return torch.randn(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


# --- the task


@pytest.mark.parametrize("dataset", DATASETS)
def test_test_patients_are_in_no_other_part(cases, dataset):
    found = cases(dataset)
    parts = [set(part.subject) for part in (found.train, found.validation, found.test)]
    assert not parts[2] & (parts[0] | parts[1]) and not parts[0] & parts[1]
    assert "LIDC-IDRI-0001" not in parts[2]  # whose lung is the background


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_data_set_asks_in_its_own_metrics(cases, dataset):
    asked, test = task.TASK.on(dataset), cases(dataset).test
    perfect = {
        "probability": nn.functional.one_hot(test["label"], 2).float(),
        "map": test["mask"].float(),
    }
    scores = task.score(perfect, test.tensors)
    assert (
        list(scores)
        == list(asked.metrics)
        == list(task.ASKS[dataset] if dataset in task.ASKS else task.ASKS[dataset.split("/")[0]])
    )
    for name in {"auc", "dice", "pointing", "mass"} & set(scores):
        assert float(scores[name].nanmean()) == 1
    if "ece" in scores:
        assert float(scores["ece"].mean()) == 0


def test_both_versions_of_a_place_differ_by_the_nodule_alone():
    found = presence.pairs("test", 8)
    with_nodule, without = found["image"][::2], found["image"][1::2]
    assert found["label"].tolist() == [1, 0] * 8
    assert found["mask"][::2].flatten(1).any(1).all() and not found["mask"][1::2].any()
    changed = with_nodule != without
    near = metrics.grown(found["mask"][::2], 20)  # soft edge, spicules, and what lies above
    assert not (changed & ~near).any() and changed.flatten(1).any(1).all()


def test_ranks_are_counted_within_a_condition(cases):
    test = cases("scanner_shift/one_scanner").test
    right = test["label"].float()
    # Each scanner's probabilities are perfect, but shifted between scanners.
    odd = 0.2 * test["scanner"] + 0.1 * right
    perfect = {"probability": torch.stack([1 - odd, odd], 1), "map": test["mask"].float()}
    assert float(task.score(perfect, test.tensors)["auc"].mean()) == 1


def test_all_scanners_show_the_same_patients_and_are_split_by_scanner(cases):
    test = cases("scanner_shift/one_scanner").test
    seen_by = {
        k: test.subset((test["scanner"] == k).nonzero().flatten().tolist()) for k in range(4)
    }
    names = [[name.rsplit("/", 1)[0] for name in seen_by[k].case] for k in range(4)]
    assert names[0] == names[1] == names[2] == names[3]
    for k, site in enumerate("ABCD"):
        assert {name.rsplit("-", 1)[1] for name in seen_by[k].case} == {site}
        assert torch.equal(seen_by[k]["mask"], seen_by[0]["mask"])
        own = scenes.TRAINING_SCANNERS if site == "A" else scenes.OTHER_SCANNERS
        assert set(seen_by[k].group) == {own}
        assert (k == 0) == torch.equal(seen_by[k]["image"], seen_by[0]["image"])
    trained = cases("scanner_shift/one_scanner").train
    assert {name.rsplit("-", 1)[1] for name in trained.case} == {"A"}


def test_a_random_split_leaves_no_scanner_unseen(cases):
    found = cases("scanner_shift/random_split")
    assert {name.rsplit("-", 1)[1] for name in found.train.case} == set("ABCD")
    assert set(found.test.group) == {scenes.TRAINING_SCANNERS}
    without = cases("scanner_shift/without_D")
    assert {name.rsplit("-", 1)[1] for name in without.train.case} == set("ABC")
    unseen = [
        c
        for c, g in zip(without.test.case, without.test.group, strict=True)
        if g == scenes.OTHER_SCANNERS
    ]
    assert {name.rsplit("-", 1)[1] for name in unseen} == {"D"}


def test_each_knob_and_severity_changes_the_picture_more(cases):
    test = cases("scanner_shift/one_scanner").test
    found = scenes.severities(test)
    assert set(found) == {(knob, level) for knob in LEVELS for level in (1, 2, 3)}
    still = test.subset((test["scanner"] == 0).nonzero().flatten().tolist())
    for knob in LEVELS:
        change = [
            float((found[knob, level]["image"] - still["image"]).square().mean())
            for level in (1, 2, 3)
        ]
        assert 0 < change[0] < change[1] < change[2]


def test_the_marker_goes_with_the_nodule_in_training_only(cases):
    found = cases("explanations/shortcut")

    def rates(part):
        shown = part["marker"].flatten(1).any(1)
        return [float(shown[part["label"] == c].float().mean()) for c in (0, 1)]

    no, yes = rates(scenes.marked(presence.pairs("train", 12), 0.95, 3, "x"))
    assert no < 0.3 < 0.7 < yes
    groups = {
        g: [k for k, own in enumerate(found.test.group) if own == g]
        for g in (scenes.NO_HINT, scenes.HINT)
    }
    assert rates(found.test.subset(groups[scenes.HINT]))[1] > 0.7
    big = scenes.marked(presence.pairs("train", 12), 0.5, 0, scenes.NO_HINT)
    assert abs(rates(big)[0] - rates(big)[1]) < 0.6
    marker = found.train["marker"]
    assert (found.train["image"][marker] == scenes.MARKER_HU).all()
    batch = task.sample(found.train, "smoke", 8, torch.Generator().manual_seed(0))
    assert (batch["image"][batch["marker"]] == scenes.MARKER_HU).all()


@pytest.mark.parametrize(("dataset", "count"), [("0_masks", 0), ("5_masks", 5), ("all_masks", 12)])
def test_outlines_beyond_the_budget_are_withheld(cases, dataset, count):
    train = cases(f"weak_labels/{dataset}").train
    assert int(train["has_mask"].sum()) == 2 * count
    for name in ("mask", "wide_mask"):
        shown = train[name].flatten(1).any(1)
        assert int(shown.sum()) == count and not shown[~train["has_mask"]].any()


# --- scanners


def test_knobs_at_rest_change_nothing_and_blur_keeps_the_mean():
    image = 100 * images() - 500
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(rescan(image, Knobs(), generator), image)
    flat = torch.full((1, 1, 32, 32), -300.0)
    assert torch.allclose(blurred(flat, 2.0), flat, atol=1e-3)
    noisy = rescan(flat, Knobs(noise=80.0), generator)
    assert float(noisy.std()) == pytest.approx(80, rel=0.02)
    scaled = rescan(flat, Knobs(gain=0.5, offset=10.0), generator)
    assert torch.allclose(scaled, torch.full_like(flat, 0.5 * 700 - 1000 + 10))
    with pytest.raises(CourseError, match="noise"):
        turned("contrast", 1)
    assert SITES["A"] == Knobs()


# --- scores of maps against closed form


def test_pointing_mass_and_rank_correlation():
    heat = torch.zeros(3, 1, 4, 4)
    heat[0, 0, 1, 1], heat[0, 0, 3, 3] = 3.0, 1.0
    heat[1, 0, 0, :] = 1.0  # four pixels share the highest value, one of them inside
    mask = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    mask[:, 0, 1, 1], mask[:, 0, 0, 0] = True, True
    assert metrics.pointing(heat, mask).tolist() == [1.0, 0.25, 0.0]
    assert metrics.mass_inside(heat, mask).tolist() == [0.75, 0.25, 0.0]
    a = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert float(metrics.rank_correlation(a, a.exp())) == pytest.approx(1)
    assert float(metrics.rank_correlation(a, -a)) == pytest.approx(-1)
    from scipy.stats import spearmanr

    b = (5 * torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(1))).round()
    wanted = spearmanr(a.flatten(), b.flatten())[0]
    assert float(metrics.rank_correlation(a, b)) == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(CourseError):
        metrics.pointing(heat, heat)


def test_the_widget_shows_what_the_knobs_do(cases):
    with device.seeded(0):
        method = DomainShiftBenchmark()
    still = scenes.by_scanner(cases("scanner_shift/one_scanner").test)["A"]
    shown = rescan_explorer(method, still.batch(slice(0, 4)))
    before = shown.picture.alt
    shown.controls["noise"].value = 200
    assert "noise of 0 HU" in before and "noise of 200 HU" in shown.picture.alt
    assert all(f" {word}" in before for word in ("probability", "blur", "right"))


# --- maps


@pytest.mark.parametrize("kind", saliency.MAPS)
def test_maps_are_never_negative_and_leave_the_weights_without_gradients(kind):
    found, image = small_network(), images()
    heat = saliency.saliency(kind)(found, image)
    assert heat.shape == image.shape and (heat >= 0).all() and heat.max() > 0
    assert all(p.grad is None for p in found.parameters())
    alone = saliency.saliency(kind)(found, image[:1])
    assert torch.allclose(alone, heat[:1], atol=1e-4 * float(heat.max()))


def test_gradient_is_the_slope_of_the_log_odds():
    found, image = small_network(), images(1)
    heat = saliency.gradient(found, image)
    place = (0, 0, 30, 31)
    step = torch.zeros_like(image)
    step[place] = 1e-2
    slope = (saliency.log_odds(found, image + step) - saliency.log_odds(found, image - step)) / 2e-2
    assert float(heat[place]) == pytest.approx(abs(float(slope.detach())), rel=0.05, abs=1e-4)


def test_integrated_gradients_are_complete():
    found, image = small_network(), images(2)
    total = saliency.attributions(found, image, steps=64).sum((1, 2, 3))
    start = torch.full_like(image, saliency.BLACK)
    wanted = saliency.log_odds(found, image) - saliency.log_odds(found, start)
    assert torch.allclose(total, wanted, atol=0.05 * float(wanted.abs().max()))


def test_cam_adds_up_to_the_score_and_grad_cam_generalises_it():
    found, image = small_network(), images(2)
    weights = (found.head.weight[1] - found.head.weight[0]).detach()
    heat = saliency.class_activation(found.maps(image)[-1], weights)
    bias = float(found.head.bias[1] - found.head.bias[0])
    assert torch.allclose(heat.mean((1, 2, 3)) + bias, saliency.log_odds(found, image), atol=1e-4)
    places = heat[0].numel()
    assert torch.allclose(
        saliency.grad_cam(found, image) * places, saliency.cam(found, image), atol=1e-3
    )
    assert not torch.allclose(
        saliency.grad_cam(found, image, stage=0), saliency.grad_cam(found, image)
    )


def test_occlusion_finds_the_only_thing_that_counts():
    class Corner(nn.Module):
        def forward(self, x):
            bright = x[:, 0, 8:16, 40:48].mean((1, 2))
            return torch.stack([torch.zeros_like(bright), bright], 1)

    image = torch.zeros(1, 1, 64, 64)
    image[..., 8:16, 40:48] = 1.0
    heat = saliency.occlusion(Corner(), image)
    assert (
        8 <= int(heat[0, 0].amax(1).argmax()) < 16 and 36 <= int(heat[0, 0].amax(0).argmax()) < 52
    )
    assert heat[0, 0, 40:].max() == 0


def test_random_weights_replace_the_last_parts_first():
    found = small_network()
    head = saliency.randomised(found, parts=1)
    assert not torch.equal(head.head.weight, found.head.weight)
    assert torch.equal(head.stem[0].weight, found.stem[0].weight)
    every = saliency.randomised(found)
    assert not torch.equal(every.stem[0].weight, found.stem[0].weight)
    assert torch.equal(every.head.weight, saliency.randomised(found).head.weight)
    # An edge map passes no such test: it is the same for any weights.
    image = images()
    changed = saliency.gradient(every, image)
    same = metrics.rank_correlation(saliency.gradient(found, image), changed)
    assert (same.abs() < 0.9).all()


def test_deletion_removes_the_highest_first_and_insertion_ends_where_it_starts():
    found, image = small_network(), images(2)
    heat = torch.zeros_like(image)
    heat[..., 20:30, 20:30] = 1.0
    deleted = saliency.curve(found, image, heat, steps=8)
    inserted = saliency.curve(found, image, heat, insert=True, steps=8)
    assert deleted.shape == (2, 9)
    whole = saliency.log_odds(found, image).sigmoid()
    assert torch.allclose(deleted[:, 0], whole) and torch.allclose(inserted[:, -1], whole)
    assert torch.allclose(deleted[:, -1], inserted[:, 0])


# --- methods: the catalogue's faithful minimum


@pytest.mark.parametrize("kind", ["cam", "occlusion"])
def test_explanations_carry_all_their_checks(cases, kind):
    test = cases("explanations/nodules").test.subset([0, 1, 8, 9])
    method = SaliencyExplanations(kind).eval()
    with torch.no_grad():
        answer = method.predict(test.tensors)
    assert set(answer) == {"probability", "map", "randomised", "deletion", "insertion"}
    scores = task.score(answer, test.tensors)
    assert torch.isfinite(scores["pointing"][:2]).all() and scores["pointing"][2:].isnan().all()
    with pytest.raises(CourseError, match="grad_cam"):
        SaliencyExplanations("guess")


def test_the_shortcut_is_learnt_shown_by_the_map_and_costs_the_test():
    """With a marker that never errs in training, a few steps are enough to fall for it."""
    train, test = (scenes.plain(part, n, 2) for part, n in (("train", 12), ("test", 8)))
    train = scenes.marked(train, 1.0, 0, "training")
    with device.seeded(0):
        method = SaliencyExplanations("grad_cam")
    plan = Plan(steps=80, batch=12, evaluations=1)
    parts = Splits(train, train.subset(range(4)), test)
    fit(method, task.TASK, parts, profile="smoke", seed=0, plan=plan, progress=False)
    network = method.network.eval()

    def auc(cases):
        with torch.no_grad():
            return float(
                classification.auc(network(seen(cases.tensors)).softmax(1)[:, 1], cases["label"])
            )

    hinted = scenes.marked(test, 1.0, 0, scenes.HINT)
    assert auc(hinted) > auc(scenes.marked(test, 0.0, 0, "the other way round")) + 0.2
    shown = hinted["marker"].flatten(1).any(1)
    assert torch.equal(shown, hinted["label"] == 1)
    marker = metrics.grown(hinted["marker"][shown], 2)
    heat = saliency.occlusion(network, seen(hinted.tensors)[shown])
    assert float(metrics.mass_inside(heat, marker).mean()) > 3 * float(marker.float().mean())


def test_the_reader_answers_three_questions_with_one_network(cases):
    test = cases("scanner_shift/one_scanner").test.subset(range(4))
    method = DomainShiftBenchmark().eval()
    with torch.no_grad():
        answer = method.predict(test.tensors)
    assert answer["probability"].shape == (4, 2) and answer["map"].shape == (4, 1, 64, 64)
    scores = task.score(answer, test.tensors)
    assert {"auc", "ece", "dice", "pointing"} <= set(scores)  # class, calibration, pixels, place


def test_outlines_in_empty_images_are_counted_apart(cases):
    batch = cases("weak_labels/0_masks").test.tensors
    nodule = batch["label"] == 1
    for drawn, dice, false in ((batch["mask"].float(), 1.0, 0.0), (torch.ones(1), None, 100.0)):
        heat = drawn.expand_as(batch["mask"])
        answer = {"probability": torch.full((len(nodule), 2), 0.5), "map": heat}
        scores = task.score(answer, batch)
        assert scores["false_outlines"][~nodule].tolist() == [false] * int((~nodule).sum())
        assert scores["false_outlines"][nodule].isnan().all()
        assert dice is None or scores["dice"][nodule].tolist() == [dice] * int(nodule.sum())


@pytest.mark.parametrize("remedy", [*travel.REMEDIES, "all"])
def test_remedies_never_use_labels_of_other_scanners(cases, remedy):
    found = cases("scanner_shift/one_scanner")
    with device.seeded(0):
        method = travel.DomainGeneralisation(remedy)
    method.prepare(found.train)
    method.eval()
    cut = found.test.subset(range(6))
    blind = dict(cut.tensors) | {"label": 1 - cut["label"], "mask": ~cut["mask"]}
    with torch.no_grad():
        one, other = method.predict(cut.tensors), method.predict(blind)
    assert torch.equal(one["probability"], other["probability"])
    assert torch.equal(one["map"], other["map"])
    # What adaptation looks at are pictures of training patients.
    assert found.train["unlabelled"].shape == (len(found.train), 4, 1, 64, 64)


def test_histogram_matching_undoes_a_change_of_scale():
    values = torch.linspace(-1000, 400, 65)
    theirs = 0.8 * (values + 1000) - 840
    image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0)) * 1400 - 1000
    back = travel.matched(0.8 * (image + 1000) - 840, theirs, values)
    assert torch.allclose(back, image, atol=1.0)


def test_adabn_changes_statistics_and_no_weight(cases):
    found = cases("scanner_shift/one_scanner")
    method = travel.DomainGeneralisation("adabn")
    method.prepare(found.train)
    method.eval()
    copy = method.measured_anew(1)
    for (name, old), (_, new) in zip(
        method.network.named_parameters(), copy.named_parameters(), strict=True
    ):
        assert torch.equal(old, new), name
    old, new = method.network.trunk.stem[1], copy.trunk.stem[1]
    assert not torch.equal(old.running_mean, new.running_mean)
    kept = method.network.trunk.stem[1].running_mean.clone()
    with torch.no_grad():
        method.predict(found.test.subset(range(4)).tensors)
    assert torch.equal(method.network.trunk.stem[1].running_mean, kept)


def test_augmentation_changes_every_training_image_and_no_other():
    method = travel.DomainGeneralisation("augmentation")
    image = images(4).clamp(-0.9, 0.9)
    with device.seeded(0):
        changed = method.changed(image)
    assert changed.shape == image.shape and changed.abs().max() <= 1
    assert (changed != image).flatten(1).any(1).all()
    assert torch.equal(travel.DomainGeneralisation("adabn").changed(image), image)
    with pytest.raises(CourseError, match="adabn"):
        travel.DomainGeneralisation("prayer")


def test_weak_supervision_uses_no_outline_where_there_is_none(cases):
    """Other outlines in the batch, same loss: has_mask decides what may be looked at."""
    batch = task.sample(cases("weak_labels/0_masks").train, "smoke", 4, torch.Generator())
    with device.seeded(0):
        method = WeakSupervisionCAMMIL().train()
    for stage in ("classify", "segment"):
        method.stage = stage
        values = []
        for mask in (batch["mask"], ~batch["mask"]):
            with device.seeded(1), torch.no_grad():
                ((player, loss),) = method.losses(batch | {"mask": mask})
            values.append(float(loss))
        assert player == stage and values[0] == pytest.approx(values[1])
    known = batch | {"has_mask": torch.ones(4, dtype=torch.bool), "mask": ~batch["mask"]}
    with torch.no_grad():
        ((_, with_masks),) = method.losses(known)
    assert float(with_masks) != pytest.approx(values[0])


def test_pseudo_outlines_lie_where_the_map_is_and_only_in_images_with_a_nodule():
    with device.seeded(0):
        method = WeakSupervisionCAMMIL().eval()
    image = images(4)
    outline = method.pseudo_outline(image, torch.tensor([1, 1, 0, 1]))
    assert set(outline.unique().tolist()) <= {0.0, 1.0} and not outline[2].any()
    heat = saliency.cam(method.classifier, image)
    assert (heat[outline > 0] > 0).all()
    names = [id(p) for p in method.players()["classify"]]
    method.stage = "segment"
    assert not set(names) & {id(p) for p in method.players()["segment"]}


def test_weak_supervision_ends_on_the_outlines_that_there_are(cases):
    method = WeakSupervisionCAMMIL()
    method.prepare(cases("weak_labels/5_masks").train)
    assert method.pool(0.6) is None
    method.stage = "refine"
    assert len(method.pool(0.9)) == 10
    method.prepare(cases("weak_labels/0_masks").train)
    assert method.pool(0.9) is None


def test_attention_weights_sum_to_one_and_the_bag_is_their_mean():
    with device.seeded(0):
        method = AttentionMIL().eval()
    image = images(3)
    with torch.no_grad():
        features = method.instances(image)
        weights = method.attention(features)
        assert features.shape[:2] == weights.shape == (3, 49)
        assert torch.allclose(weights.sum(1), torch.ones(3), atol=1e-5)
        scores, _ = method(image)
        bag = (weights[..., None] * features).sum(1)
        assert torch.allclose(scores, method.head(bag), atol=1e-5)
        # The order of the patches does not matter to a bag.
        mixed = features[:, torch.randperm(49, generator=torch.Generator().manual_seed(0))]
        other = (method.attention(mixed)[..., None] * mixed).sum(1)
        assert torch.allclose(bag, other, atol=1e-5)


def test_max_pooling_is_the_control_and_listens_to_one_patch():
    with device.seeded(0):
        method = AttentionMIL("max").eval()
    image = images(2)
    with torch.no_grad():
        scores, odds = method(image)
        patches = method.head(method.instances(image))
    best = odds.argmax(1)
    assert torch.allclose(scores, patches[torch.arange(2), best])
    with pytest.raises(CourseError, match="attention"):
        AttentionMIL("mean")


def test_the_u_net_draws_outlined_cases_only(cases):
    found = cases("weak_labels/5_masks")
    method = MaskUNet()
    method.prepare(found.train)
    assert len(method.pool(0.0)) == 10
    assert found.train.subset(method.pool(0.5))["has_mask"].all()
    with pytest.raises(CourseError, match="outline"):
        MaskUNet().prepare(cases("weak_labels/0_masks").train)
    assert not catalogue.entry("mask_u_net").fits("weak_labels/0_masks")


def test_the_blob_filter_answers_most_to_its_own_size():
    row = torch.arange(64) - 31.5
    distance = torch.hypot(row[:, None], row[None])
    method, best = BlobFilter(), {}
    for radius in (3, 8):
        disc = torch.where(distance < radius, 0.0, -800.0)[None, None]
        answers = {}
        for size in (1.5, 2.5, 4.0, 6.0):
            method.size = size
            answers[size] = float(method.answer(disc)[0, 0, 31, 31])
        best[radius] = max(answers, key=answers.get)
    assert best == {3: 2.5, 8: 6.0}
