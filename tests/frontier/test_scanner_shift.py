"""Other scanners: who sees whom, what the knobs do."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.physics.ct_site import LEVELS, SITES, Knobs, blurred, rescan, turned
from course_lib.tasks.frontier import scanner_shift
from tests.frontier.look import images


def scanners(found):
    return {name.rsplit("-", 1)[1] for name in found.case}


def test_ranks_are_counted_within_a_scanner(cases):
    test = cases("scanner_shift/one_scanner").test
    right = test["label"].float()
    # Each scanner's probabilities are perfect, but shifted between scanners.
    odd = 0.2 * test["scanner"] + 0.1 * right
    perfect = {"probability": torch.stack([1 - odd, odd], 1), "map": test["mask"].float()}
    assert float(scanner_shift.score(perfect, test.tensors, test.facts)["auc"].mean()) == 1


def test_all_scanners_show_the_same_patients_and_are_split_by_scanner(cases):
    test = cases("scanner_shift/one_scanner").test
    seen_by = scanner_shift.by_scanner(test)
    assert list(seen_by) == list(test.facts.scanners) == list("ABCD")
    names = [[name.rsplit("/", 1)[0] for name in own.case] for own in seen_by.values()]
    assert names[0] == names[1] == names[2] == names[3]
    for site, own in seen_by.items():
        assert scanners(own) == {site}
        assert torch.equal(own["mask"], seen_by["A"]["mask"])
        known = scanner_shift.TRAINING_SCANNERS if site == "A" else scanner_shift.OTHER_SCANNERS
        assert set(own.group) == {known}
        assert (site == "A") == torch.equal(own["image"], seen_by["A"]["image"])
    assert scanners(cases("scanner_shift/one_scanner").train) == {"A"}


def test_a_random_split_leaves_no_scanner_unseen(cases):
    found = cases("scanner_shift/random_split")
    assert scanners(found.train) == set("ABCD")
    assert set(found.test.group) == {scanner_shift.TRAINING_SCANNERS}
    without = cases("scanner_shift/without_D")
    assert scanners(without.train) == set("ABC")
    groups = enumerate(without.test.group)
    unseen = without.test.subset([i for i, g in groups if g == scanner_shift.OTHER_SCANNERS])
    assert scanners(unseen) == {"D"}


def test_adaptation_gets_pictures_of_training_patients_from_every_scanner(cases):
    train = cases("scanner_shift/one_scanner").train
    given = train["unlabelled"]
    assert given.shape == (len(train), len(train.facts.scanners), 1, 64, 64)
    for image in given[:, 0]:  # scanner A shows them as they are
        assert (train["image"] == image).flatten(1).all(1).any()


def test_each_knob_and_severity_changes_the_picture_more(cases):
    test = cases("scanner_shift/one_scanner").test
    found = scanner_shift.severities(test)
    assert set(found) == {(knob, level) for knob in LEVELS for level in (1, 2, 3)}
    still = scanner_shift.by_scanner(test)["A"]
    for knob in LEVELS:
        change = [
            float((found[knob, level]["image"] - still["image"]).square().mean())
            for level in (1, 2, 3)
        ]
        assert 0 < change[0] < change[1] < change[2]


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
