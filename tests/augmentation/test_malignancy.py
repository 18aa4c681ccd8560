"""Few labelled nodules: who is tested, what the scores say."""

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.metrics.classification import auc
from course_lib.metrics.generation import kernel_distance, kernel_distance_per_case
from course_lib.tasks.augmentation import lung_patches, malignancy


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_patients_are_in_one_part_only(labelled):
    parts = [set(part.subject) for part in (labelled.train, labelled.validation, labelled.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert set(labelled.test.group) == {malignancy.OTHER_PATIENTS}
    nodules = [set(part.case) for part in (labelled.train, labelled.test)]
    assert len(nodules[0]) == len(labelled.train) and not nodules[0] & nodules[1]


def test_labels_are_the_radiologists_and_balanced(labelled):
    ratings = {
        f"{n.patient}/nodule-{n.annotations[0].identifier}": sum(
            a.ratings["malignancy"] for a in n.annotations
        )
        / len(n.annotations)
        for known in lung_patches.sorted_nodules()
        for n in known
    }
    for part in (labelled.train, labelled.validation, labelled.test):
        for name, label in zip(part.case, part["label"].tolist(), strict=True):
            assert (ratings[name] > 3.5) if label else (ratings[name] < 2.5)
        assert part["label"].float().mean() == 0.5


def test_the_seed_chooses_training_nodules_and_nothing_else(labelled):
    other = malignancy.make("malignancy", "smoke", 1)
    assert set(other.train.case) != set(labelled.train.case)
    assert torch.equal(other.test["image"], labelled.test["image"])
    assert set(other.train.subject) & set(labelled.test.subject) == set()


def test_no_two_parts_share_a_place():
    room = lung_patches.lungs()
    parts = lung_patches.regions(room)
    left = [set(parts[name].voxels[:, 0].tolist()) for name in ("train", "validation")]
    assert min(left[1]) - max(left[0]) >= lung_patches.GAP
    assert (parts["train"].side == 1).all() and (parts["test"].side == 2).all()


def test_batches_hold_as_many_of_each_class(labelled):
    batch = malignancy.sample(labelled.train, "smoke", 8, rng())
    assert batch["label"].sum() == 4
    assert len(malignancy.sample(labelled.train, "smoke", 7, rng())["image"]) == 7


def scores(value, labelled, generated=None):
    """Those of a judge who is as sure of class 1 as `value` says."""
    batch = labelled.test.tensors
    p = torch.stack([1 - value, value], 1)
    made = batch["image"] if generated is None else generated
    prediction = {"probabilities": p, "generated": made}
    return malignancy.score(prediction, batch, labelled.facts)


def test_auc_is_the_mean_of_the_cases_and_perfect_is_one(labelled):
    label = labelled.test["label"].float()
    for value, wanted in ((label, 1.0), (-label, 0.0), (torch.zeros_like(label), 0.5)):
        assert float(scores(value.sigmoid(), labelled)["auc"].mean()) == pytest.approx(wanted)
    random = torch.rand(len(label), generator=rng())
    found = scores(random, labelled)
    assert float(found["auc"].mean()) == pytest.approx(float(auc(random, labelled.test["label"])))
    called = (random > 0.5)[label == 1].float().mean()
    assert float(found["sensitivity"].nanmean()) == pytest.approx(float(called))


def test_kernel_distance_shares_add_up_and_tell_noise_from_lung(labelled):
    x, y = torch.randn(2, 7, 5, generator=rng())
    shares = kernel_distance_per_case(x, y + 1)
    assert float(shares.mean()) == pytest.approx(float(kernel_distance(x, y + 1)), rel=1e-4)
    with pytest.raises(CourseError, match="as many"):
        kernel_distance_per_case(x, y[:5])
    image = labelled.test["image"]
    unsure = torch.full((len(image),), 0.5)
    mirrored, noise = image.flip(-1), torch.randn(image.shape, generator=rng()) * 300 - 500
    near, far = (scores(unsure, labelled, g)["kernel_distance"].mean() for g in (mirrored, noise))
    assert near < 0.2 * far


def test_one_case_alone_has_no_distance_but_all_other_scores(labelled):
    batch = labelled.test.batch(slice(1, 2))
    p = torch.tensor([[0.25, 0.75]])
    found = malignancy.score(
        {"probabilities": p, "generated": batch["image"]}, batch, labelled.facts
    )
    assert set(found) == set(malignancy.QUESTION.metrics)
    assert found["kernel_distance"].isnan().all() and float(found["sensitivity"]) == 1


def test_pictures_show_the_patch_and_what_was_made(labelled):
    batch = labelled.test.tensors
    prediction = {"generated": batch["image"] + 10}
    panels = malignancy.pictures(prediction, batch, labelled.facts)
    assert list(panels) == ["patch", "made"] and panels["patch"].shared
    assert {panel.unit for panel in panels.values()} == {"HU"}
    assert torch.equal(panels["made"].values, panels["patch"].values + 10)
