"""Nodules in real lungs: measured shapes keep their size, backgrounds stay, patients stay apart."""

import numpy as np
import pytest
import torch

from course_lib.data import lesions
from course_lib.data.sets import chest_ct, lidc
from course_lib.data.volume import Volume
from course_lib.errors import CourseError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def patches():
    return lesions.nodule_patches(24, size=64, seed=1, slices=9)


@pytest.fixture(scope="module")
def lung():
    """A made-up lung: −860 HU with noise, on the grid of the real scan."""
    noise = 30 * np.random.default_rng(0).standard_normal((25, 90, 90)).astype(np.float32)
    return Volume(noise - 860, (2.5, 0.703125, 0.703125), "phantom", "HU", (0.0, 0.0, 0.0))


def middle_sized(texture, low=4.0, high=7.0):
    """A nodule of 4 to 7 mm radius without calcium whose median texture rating is as wanted."""
    for nodule in lesions.nodules(3):
        ratings = nodule.ratings
        plain = ratings["calcification"] == 6 and ratings["margin"] >= 3
        if ratings["texture"] == texture and plain:
            radius = lesions.shape(nodule).radius_mm
            if low < radius < high:
                return nodule
    raise AssertionError(f"no nodule of texture {texture}")


def test_mask_has_the_volume_of_the_contours(lung):
    voxel = np.prod(lung.spacing_mm)
    ratios = []
    for nodule in lesions.nodules(4)[:24]:
        outline = lesions.shape(nodule)
        if 4 < outline.radius_mm < 9:
            _, mask = lesions.insert(lung, nodule, (12, 45, 45), generator(3))
            ratios.append(mask.sum() * voxel / outline.volume_mm3)
    assert len(ratios) > 5
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert min(ratios) > 0.8 and max(ratios) < 1.2


def test_consensus_is_between_its_raters():
    nodule = next(n for n in lidc.nodules("LIDC-IDRI-0001"))
    scan = chest_ct.load()
    alone = [lidc.mask(a, scan).sum() * np.prod(scan.spacing_mm) for a in nodule.annotations]
    assert min(alone) < lesions.shape(nodule).volume_mm3 < max(alone)


def test_voxels_beyond_the_nodule_are_untouched(lung):
    nodule = middle_sized(5.0)
    image, mask = lesions.insert(lung, nodule, (12, 45, 45), generator())
    assert lung.image[mask].mean() < -800  # the input was not written to
    changed = image != lung.image
    assert changed[mask].mean() > 0.99
    from scipy.ndimage import distance_transform_edt

    away = distance_transform_edt(~mask, sampling=lung.spacing_mm)
    assert not changed[away > 9].any()


def test_density_follows_the_texture_rating(lung):
    def core(texture):
        image, mask = lesions.insert(lung, middle_sized(texture), (12, 45, 45), generator(2))
        return np.percentile(image[mask], 90)

    glass, part, solid = core(1.0), core(3.0), core(5.0)
    assert -760 < glass < -400 < solid - 250
    assert glass < part
    assert -40 < solid < 110


def test_calcium_is_dense(lung):
    hard = next(
        n
        for n in lesions.nodules(3)
        if n.ratings["calcification"] == 3 and lesions.shape(n).radius_mm > 2.5
    )
    image, mask = lesions.insert(lung, hard, (12, 45, 45), generator())
    assert image[mask].max() > 200


def test_the_same_seed_gives_the_same_nodule(lung):
    nodule = middle_sized(5.0)
    first, again, other = (
        lesions.insert(lung, nodule, (12, 45, 45), generator(seed))[0] for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()


def test_patches_are_lung_with_a_nodule_in_the_middle(patches):
    image, mask = patches["image"], patches["mask"].bool()
    assert image.shape == (24, 1, 9, 64, 64)
    assert mask[:, :, 4, 28:36, 28:36].flatten(1).any(1).float().mean() > 0.95
    before = patches["background"]
    around = before[:, 0, 4, 32, 32]
    assert (around < -500).float().mean() > 0.85  # some touch the wall
    unchanged = image == before
    assert unchanged.float().mean() > 0.7 and unchanged[mask].float().mean() < 0.05
    assert (image - before)[mask].median() > 300


def test_patches_are_deterministic():
    first, again = (lesions.nodule_patches(3, size=48, seed=7) for _ in range(2))
    for name, value in first.tensors.items():
        assert torch.equal(value, again[name]), name
    assert first.case == again.case


def test_patients_can_be_kept_apart(patches):
    people = sorted({nodule.patient for nodule in lesions.nodules(3)})
    train, test = people[::2], people[1::2]
    one = lesions.nodule_patches(4, size=48, patients=train, lung="left")
    two = lesions.nodule_patches(4, size=48, patients=test, lung="right")
    assert set(one.subject) <= set(train) and set(two.subject) <= set(test)
    assert not set(one.subject) & set(two.subject)
    assert all(
        case.startswith(subject)
        for case, subject in zip(patches.case, patches.subject, strict=True)
    )


def test_ratings_are_in_range(patches):
    ratings = patches["ratings"]
    assert ratings.shape == (24, len(lidc.RATINGS))
    assert ratings.min() >= 1 and ratings.max() <= 6
    assert patches["malignancy"].max() <= 5 and patches["raters"].min() >= 3
    assert patches["malignancy"].std() > 0.3


def test_places_lie_inside_the_chosen_lung():
    room = lesions.lungs()
    organs = chest_ct.organ_names()
    labels = room.volume.labels["organs"]
    nodule = middle_sized(5.0)
    radius = lesions.shape(nodule).radius_mm
    for side in ("left", "right"):
        for seed in range(5):
            z, y, x = lesions.place(room, nodule, generator(seed), lung=side)
            name = organs[int(labels[z, y, x])]
            assert name.startswith("lung_") and name.endswith(side)
    at_wall = [lesions.place(room, nodule, generator(s), attached=True) for s in range(5)]
    distance = dict(zip(map(tuple, room.voxels.tolist()), room.wall_mm, strict=True))
    assert all(0 < distance[where] < radius for where in at_wall)


def test_what_does_not_fit_is_refused(lung):
    nodule = middle_sized(5.0)
    with pytest.raises(CourseError, match=r"lesions\.place"):
        lesions.insert(lung, nodule, (1, 45, 45), generator())
    with pytest.raises(CourseError, match="no label 'organs'"):
        lesions.lungs(lung)
    with pytest.raises(CourseError, match="No nodule is left"):
        lesions.nodule_patches(1, patients=["nobody"])
