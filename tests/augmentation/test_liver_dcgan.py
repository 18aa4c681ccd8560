"""Class-wise DCGANs: a pair for each class, on top of classic augmentation."""

import pytest
import torch

from course_lib import catalogue, device
from course_lib.errors import CourseError
from course_lib.parts.augment import NOTHING
from course_lib.parts.hounsfield import lung_range
from course_lib.tasks.augmentation import malignancy


def made(splits, **options):
    with device.seeded(0):
        return catalogue.build("liver_dcgan", **options).fresh(splits.facts)


def batch(labelled, count=8):
    generator = torch.Generator().manual_seed(0)
    return malignancy.sample(labelled.train, "smoke", count, generator)


def test_a_pair_for_each_class_sees_its_class_only(labelled):
    method, given, seen = made(labelled).train(), batch(labelled), []
    assert len(method.of_class) == 2
    for pair in method.of_class:
        pair.seen, pair.veil = NOTHING, 0.0
        pair.discriminator.register_forward_hook(lambda m, i, o: seen.append((m, i[0])))
    list(method.losses(given))
    for label, pair in enumerate(method.of_class):
        first = next(x for network, x in seen if network is pair.discriminator)
        assert torch.equal(first, lung_range(given["image"][given["label"] == label]))


def test_players_are_named_by_the_classes_of_the_data(labelled, splits):
    for cases, name in ((labelled, "malignant"), (splits("augmentation", "path:"), "all others")):
        method = made(cases).train()
        assert {f"discriminator, {name}", f"generator, {name}"} <= set(method.players())
        stepped = [player for player, _ in method.losses(batch(cases))]
        assert stepped == list(method.players())


def test_a_class_with_a_single_patch_sits_out(labelled):
    given = batch(labelled, 3)  # two of one class, one of the other
    stepped = {player for player, _ in made(labelled).train().losses(given)}
    assert stepped == {"discriminator, benign", "generator, benign"}


def test_made_lesions_are_added_to_classically_changed_ones(labelled):
    method = made(labelled).eval()
    method.begin("train", labelled.train)
    assert method.change != NOTHING and made(labelled, classic=False).change == NOTHING
    with torch.no_grad():
        images, wanted = method.judges_batch(torch.Generator().manual_seed(0))
        labels = torch.tensor([0, 1, 1])
        drawn, known = method.pictures_of(labels, torch.Generator().manual_seed(0))
    assert images.shape == (32, 1, 32, 32) and wanted.sum(0).tolist() == [16, 16]
    assert torch.equal(known.argmax(1), labels) and drawn.min() >= -1000 and drawn.max() <= 400


def test_a_share_that_is_none_is_refused():
    with pytest.raises(CourseError, match=r"share .* 1\.5"):
        catalogue.build("liver_dcgan", share=1.5)
