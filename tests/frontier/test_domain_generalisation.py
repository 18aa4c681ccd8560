"""Remedies against other scanners: what they look at, what they leave alone."""

import pytest
import torch

from course_lib import device
from course_lib.errors import CourseError
from course_lib.fit import fit
from course_lib.methods.frontier import domain_generalisation as travel
from course_lib.tasks.base import Plan
from course_lib.tasks.frontier import scanner_shift
from tests.frontier.look import FACTS, images


def begun(remedy, found):
    """A reader with random weights that has seen the unlabelled images."""
    with device.seeded(0):
        method = travel.DomainGeneralisation(remedy).fresh(found.facts)
    method.begin("train", found.train)
    return method.eval()


def trained(method, found, seed=0):
    plan = Plan(steps=3, batch=4, evaluations=1)
    question = scanner_shift.QUESTION
    fit(method, question, found, profile="smoke", seed=seed, plan=plan, progress=False)
    return method


@pytest.mark.parametrize("remedy", [*travel.REMEDIES, "all"])
def test_remedies_never_use_labels_of_other_scanners(cases, remedy):
    found = cases("scanner_shift/one_scanner")
    method = begun(remedy, found)
    cut = found.test.subset(range(6))
    blind = dict(cut.tensors) | {"label": 1 - cut["label"], "mask": ~cut["mask"]}
    with torch.no_grad():
        one, other = method.predict(cut.tensors), method.predict(blind)
    assert torch.equal(one["probability"], other["probability"])
    assert torch.equal(one["map"], other["map"])


def test_histogram_matching_undoes_a_change_of_scale():
    values = torch.linspace(-1000, 400, 65)
    theirs = 0.8 * (values + 1000) - 840
    image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0)) * 1400 - 1000
    back = travel.matched(0.8 * (image + 1000) - 840, theirs, values)
    assert torch.allclose(back, image, atol=1.0)


def test_adabn_changes_statistics_and_no_weight(cases):
    found = cases("scanner_shift/one_scanner")
    method = begun("adabn", found)
    copy = method.measured_anew(1, method.unlabelled[1])
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


def test_adabn_answers_for_a_case_alone_as_beside_cases_of_other_scanners(cases):
    found = cases("scanner_shift/one_scanner")
    method = begun("adabn", found)
    one_of_each = [own.case[0] for own in scanner_shift.by_scanner(found.test).values()]
    cut = found.test.subset([found.test.case.index(name) for name in one_of_each])
    with torch.no_grad():
        together = method.predict(cut.tensors)["probability"]
        for k in range(4):
            alone = method.predict(cut.subset([k]).tensors)["probability"]
            assert torch.allclose(together[k : k + 1], alone, atol=1e-6)
        home = method.network(method.image(cut.tensors))[0].softmax(1)
    assert torch.allclose(together[:1], home[:1], atol=1e-6)  # scanner A is where it learnt
    assert (together[1:] - home[1:]).abs().amax(1).min() > 1e-4


def test_adabn_forgets_statistics_once_weights_change(cases):
    found = cases("scanner_shift/one_scanner")
    method = begun("adabn", found)
    with torch.no_grad():
        method.predict(found.test.subset(range(4)).tensors)
    assert method.adapted
    method.after_step("network")
    assert not method.adapted


@pytest.mark.parametrize("remedy", ["histogram", "adabn"])
def test_a_second_training_knows_nothing_of_the_scanners_of_the_first(cases, remedy):
    here, there = (cases(f"scanner_shift/{kind}") for kind in ("one_scanner", "without_D"))
    used = trained(travel.DomainGeneralisation(remedy), here)
    with torch.no_grad():
        used.predict(here.test.subset(range(4)).tensors)  # fills what is kept per scanner
    used, new = trained(used, there), trained(travel.DomainGeneralisation(remedy), there)
    few = there.test.subset(range(4)).tensors
    with torch.no_grad():
        assert torch.equal(used.predict(few)["map"], new.predict(few)["map"])
    assert all(
        torch.equal(one, other) for one, other in zip(used.quantiles, new.quantiles, strict=True)
    )


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


def test_before_a_training_the_reader_answers_without_remedy():
    batch = {"image": 500 * images(2) - 300, "scanner": torch.tensor([0, 3])}
    answers = []
    for remedy in ("all", "augmentation"):
        with device.seeded(0):
            method = travel.DomainGeneralisation(remedy).fresh(FACTS).eval()
        with torch.no_grad():
            answers.append(method.predict(batch)["map"])
    assert torch.equal(*answers)
